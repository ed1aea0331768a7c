package process

import (
	"os"
	"slices"
	"strconv"
	"strings"
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

// launched begin the names of variables by which a program of MPI finds who launched it, and
// mpirun that it is launched itself, which it refuses. A user's own settings of Open MPI
// begin otherwise.
var launched = []string{"OMPI_COMM_WORLD_", "OMPI_UNIVERSE_SIZE", "OMPI_MCA_ess", "OMPI_MCA_orte_", "OMPI_MCA_pmix", "PMIX_", "PMI_", "MV2_COMM_WORLD_"}

// TellsRank reports whether a variable is one by which a program learns that it is one of
// several processes of one parallel program.
func TellsRank(name string) bool {
	for _, w := range worlds {
		if name == w.rank || name == w.size {
			return true
		}
	}
	return slices.ContainsFunc(launched, func(begin string) bool { return strings.HasPrefix(name, begin) })
}

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
