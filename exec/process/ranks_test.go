package process

import (
	"slices"
	"testing"
)

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

// TestEnvironment: a program that is no rank isn't told that we are one, and gets all else,
// settings of MPI among it.
func TestEnvironment(t *testing.T) {
	ranks := []string{"OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_MCA_orte_hnp_uri", "PMIX_NAMESPACE", "PMI_FD", "RANK", "WORLD_SIZE"}
	kept := []string{"OMPI_MCA_btl", "LOCAL_RANK", "RANKS"}
	for _, name := range slices.Concat(ranks, kept, arrayIndices) {
		t.Setenv(name, "1")
	}
	for _, noRank := range []bool{false, true} {
		env := Environment(noRank, []string{"RANK", "SGE_TASK_ID"}, "EXTRA=1")
		has := func(name string) bool { return slices.Contains(env, name+"=1") }
		for _, name := range ranks {
			if want := !noRank || name == "RANK"; has(name) != want {
				t.Errorf("no rank %v: %s is handed on: %v", noRank, name, !want)
			}
		}
		for _, name := range append(kept, "EXTRA", "SGE_TASK_ID") {
			if !has(name) {
				t.Errorf("no rank %v: %s is withheld", noRank, name)
			}
		}
		if has("SLURM_ARRAY_TASK_ID") {
			t.Errorf("no rank %v: the index of an array is handed on", noRank)
		}
	}
}
