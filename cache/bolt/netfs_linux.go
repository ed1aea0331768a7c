package bolt

import "syscall"

// networkFileSystem names the kind of file system that a folder is on if it is
// one that machines share, from the magic numbers of statfs(2).
func networkFileSystem(dir string) string {
	var st syscall.Statfs_t
	if syscall.Statfs(dir, &st) != nil {
		return ""
	}
	return map[uint32]string{
		0x6969:     "NFS",
		0xff534d42: "CIFS",
		0xfe534d42: "SMB2",
		0x517b:     "SMB",
		0x0bd00bd0: "Lustre",
		0x47504653: "GPFS",
		0x19830326: "BeeGFS",
		0x00c36400: "CephFS",
		0x5346414f: "AFS",
		0x01021997: "9p",
		0xaad7aaea: "PanFS",
	}[uint32(st.Type)]
}
