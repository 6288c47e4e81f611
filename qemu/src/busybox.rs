//! Debian's static busybox: the programs in the demo and the tests.

use crate::{Arch, apt, directories, host};
use anyhow::{Result, bail};
use std::path::PathBuf;

/// The binary for an architecture, downloaded if this is the first time;
/// `BUSYBOX=` names one's own.
pub fn binary(arch: Arch) -> Result<PathBuf> {
    if let Some(own) = std::env::var_os("BUSYBOX").filter(|path| !path.is_empty()) {
        let own = PathBuf::from(own);
        if !own.is_file() {
            bail!("BUSYBOX={}: there is no such file", own.display());
        }
        return Ok(own);
    }
    host::require(&[host::DPKG])?;
    let dir = directories::cached(&format!("busybox/{}", arch.debian()), |into| {
        apt::unpack("busybox-static", arch, into)
    })?;
    // Later Debians have /usr/bin.
    match ["bin/busybox", "usr/bin/busybox"].iter().map(|path| dir.join(path)).find(|path| path.is_file()) {
        Some(path) => Ok(path),
        None => bail!("no busybox in the package: remove {} and try again", dir.display()),
    }
}

/// What `/bin` gets a link for: the applets of Debian's build (`busybox --list`)
/// that make sense in a guest, the same on every architecture. The binary of a
/// foreign one could not be asked.
pub const APPLETS: &str = "\
[ [[ adjtimex arch arp arping ascii ash awk base64 basename bc blkdiscard blockdev brctl bunzip2 bzcat \
bzip2 cal cat chgrp chmod chown chroot clear cmp cp cpio crc32 crond cttyhack cut date dc dd depmod devmem \
df diff dirname dmesg dos2unix du echo ed egrep env expand expr factor fallocate false fatattr fdisk fgrep \
find findfs fold free fsfreeze fstrim getopt getty grep groups gunzip gzip halt head hexdump hostid hostname \
httpd hwclock id ifconfig init insmod ionice ip ipcalc kill killall last less link linux32 linux64 ln logger \
login logname losetup ls lsmod lzcat lzma md5sum mdev microcom mkdir mkdosfs mke2fs mkfifo mknod mkswap mktemp \
modinfo modprobe more mount mv nameif nc netstat nice nl nologin nproc nsenter nslookup nuke od paste patch \
pidof ping ping6 pivot_root poweroff printf ps pwd readlink realpath reboot renice reset rev rm rmdir rmmod \
route run-parts sed seq setpriv setsid sh sha1sum sha256sum sha512sum shred shuf sleep sort start-stop-daemon \
stat strings stty su sulogin svc swapoff swapon switch_root sync sysctl tac tail tar taskset tc tee telnet \
telnetd test tftp time timeout top touch tr traceroute true truncate ts tty tunctl udhcpc uevent umount uname \
uncompress unexpand uniq unix2dos unlink unshare unxz unzip uptime usleep uudecode uuencode vconfig vi w watch \
watchdog wc wget which who whoami xargs xxd xz xzcat yes zcat";
