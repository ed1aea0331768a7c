package process

import (
	"os"
	"strconv"
)

// worlds are the variables by which launchers of parallel programs tell a process its
// rank, and how many there are: Open MPI's, MPICH's and Intel MPI's, MVAPICH's, Slurm's,
// which are set in each step of a job, torchrun's, and Horovod's.
var worlds = []struct{ rank, size string }{
	{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
	{"PMI_RANK", "PMI_SIZE"},
	{"MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"},
	{"SLURM_PROCID", "SLURM_STEP_NUM_TASKS"},
	{"RANK", "WORLD_SIZE"},
	{"HOROVOD_RANK", "HOROVOD_SIZE"},
}

// RankVariables are those by which a program learns that it is one of several processes
// of one parallel program. A batch withholds them from its programs, which the processes
// that work on it share among them: as ranks they would wait for each other, and each for
// another subset.
var RankVariables = func() []string {
	names := []string{"PMIX_RANK"}
	for _, w := range worlds {
		names = append(names, w.rank, w.size)
	}
	return names
}()

// Rank returns which of several processes of one parallel program we are, from 0, and
// whether we are one. They wait for each other, so none of them may wait until another's
// program has ended.
func Rank() (rank int, several bool) {
	alone := false
	for _, w := range worlds {
		r, errRank := strconv.Atoi(os.Getenv(w.rank))
		n, errSize := strconv.Atoi(os.Getenv(w.size))
		if errRank == nil && errSize == nil && n > 1 {
			return r, true
		}
		alone = alone || errSize == nil
	}
	// PMIx tells no size.
	r, err := strconv.Atoi(os.Getenv("PMIX_RANK"))
	return r, err == nil && !alone
}
