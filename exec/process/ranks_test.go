package process

import "testing"

func TestRank(t *testing.T) {
	for _, c := range []struct {
		env     map[string]string
		rank    int
		several bool
	}{
		{nil, 0, false},
		{map[string]string{"OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_SIZE": "4"}, 3, true},
		{map[string]string{"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "1", "PMIX_RANK": "0"}, 0, false},
		{map[string]string{"PMI_RANK": "1", "PMI_SIZE": "2"}, 1, true},
		{map[string]string{"PMIX_RANK": "2"}, 2, true},
		{map[string]string{"MV2_COMM_WORLD_RANK": "3", "MV2_COMM_WORLD_SIZE": "4"}, 3, true},
		{map[string]string{"HOROVOD_RANK": "1", "HOROVOD_SIZE": "2"}, 1, true},
		// A batch script and its array are no ranks, though they may have many tasks.
		{map[string]string{"SLURM_PROCID": "0", "SLURM_NTASKS": "8"}, 0, false},
		{map[string]string{"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"}, 0, false},
		{map[string]string{"SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "8"}, 5, true},
		{map[string]string{"RANK": "1"}, 0, false},
		{map[string]string{"RANK": "1", "WORLD_SIZE": "2"}, 1, true},
	} {
		t.Run("", func(t *testing.T) {
			for _, w := range append(worlds, struct{ rank, size string }{"PMIX_RANK", "SLURM_NTASKS"}) {
				t.Setenv(w.rank, c.env[w.rank])
				t.Setenv(w.size, c.env[w.size])
			}
			rank, several := Rank()
			if several != c.several || several && rank != c.rank {
				t.Errorf("%v: rank %d, %v", c.env, rank, several)
			}
		})
	}
}
