// Package loader says which file the kernel opens to execute another: what a #! line
// or an ELF file names, and what binfmt_misc was told.
package loader
