//! QEMU's command line for a board, an image and options: no side effects.

use crate::board::Bus;
use crate::{Arch, Built};
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// What a boot may have besides its image.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Added to the kernel's command line.
    pub append: String,
    /// TCP ports of the host that lead to the guest's, at 10.0.2.15.
    pub forwards: Vec<Forward>,
    /// Raw disk images, as virtio block devices.
    pub drives: Vec<PathBuf>,
    /// Names of virtio-serial ports; the first is the guest's `/dev/vport0p1`
    /// (on PCI and MMIO alike, while there is one virtio-serial device).
    pub ports: Vec<String>,
    /// The board's own unless given.
    pub cpus: Option<u32>,
    pub memory: Option<String>,
    /// Time is a count of instructions, the same on every computer.
    pub instruction_count: bool,
    /// When the guest ends, QEMU stays, so that what it still holds can be read.
    pub pause_at_end: bool,
    /// Sees every byte of the console as it comes.
    pub tap: Option<Tap>,
    /// Anything else for QEMU.
    pub extra: Vec<String>,
}

/// Somebody who listens to the console as well.
#[derive(Clone)]
pub struct Tap(Arc<Mutex<Listener>>);

type Listener = dyn FnMut(&[u8]) + Send;

impl Tap {
    pub fn new(listener: impl FnMut(&[u8]) + Send + 'static) -> Tap {
        Tap(Arc::new(Mutex::new(listener)))
    }

    /// Copies the console to our stderr.
    pub fn stderr() -> Tap {
        // A closed stderr does not end the machine.
        Tap::new(|bytes| drop(std::io::stderr().write_all(bytes)))
    }

    pub(super) fn hear(&self, bytes: &[u8]) {
        let mut listener = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        listener(bytes);
    }
}

impl std::fmt::Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tap")
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Forward {
    /// 0: QEMU finds a free one ([`super::Machine::host_port`]).
    pub host: u16,
    pub guest: u16,
}

impl Forward {
    /// From a free port of the host.
    pub fn to(guest: u16) -> Forward {
        Forward { host: 0, guest }
    }
}

impl std::str::FromStr for Forward {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ports =
            text.split_once(':').and_then(|(host, guest)| Some((host.parse().ok()?, guest.parse().ok()?)));
        match ports {
            Some((host, guest)) if guest != 0 => Ok(Forward { host, guest }),
            _ => Err(format!("{text:?} is not HOST:GUEST, two TCP port numbers, as in 8080:80")),
        }
    }
}

/// The sockets QEMU inherits for its console, monitor and ports, by number.
#[derive(Debug)]
pub struct Wiring {
    pub console: i32,
    pub monitor: i32,
    /// Each with the port's name.
    pub ports: Vec<(String, i32)>,
}

/// How fast it is, when a board's kernel has to be told; icount's clock is exact.
const ICOUNT_TSC_KHZ: u64 = 1_000_000;

/// The whole command line.
pub fn all(
    built: &Built,
    options: &Options,
    wiring: &Wiring,
    kvm: bool,
    tsc_khz: impl Fn() -> u64,
) -> Vec<OsString> {
    let board = &built.board;
    let kvm = kvm && !options.instruction_count;
    let mut line = Line::default();
    line.words(&["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
    line.option("-machine", &board.machine.kind);
    line.option("-accel", if kvm { "kvm" } else { "tcg" });
    line.option("-cpu", if kvm { "host" } else { &board.machine.cpu });
    line.option("-m", options.memory.as_deref().unwrap_or(&board.machine.memory));
    line.option("-smp", options.cpus.unwrap_or(board.machine.cpus));
    if options.instruction_count {
        line.option("-icount", "shift=0,sleep=off");
    }
    if options.pause_at_end {
        line.option("-action", "shutdown=pause");
    }
    line.path("-kernel", &built.kernel.image);
    line.path("-initrd", &built.initramfs);
    let mut append = format!("{} {}", board.kernel.cmdline, options.append);
    if board.machine.tell_tsc_frequency && !kvm {
        let khz = if options.instruction_count { ICOUNT_TSC_KHZ } else { tsc_khz() };
        append.push_str(&format!(" tsc_early_khz={khz}"));
    }
    line.option("-append", append.trim());
    wire(&mut line, wiring, board.machine.bus);
    network(&mut line, &options.forwards, board.arch, board.machine.bus);
    for (index, drive) in options.drives.iter().enumerate() {
        let mut drive_option = OsString::from(format!("if=none,id=drive{index},format=raw,file="));
        // A comma in a QEMU option is doubled.
        drive_option.push(drive.to_string_lossy().replace(',', ",,"));
        line.0.extend(["-drive".into(), drive_option]);
        line.option("-device", format!("{},drive=drive{index}", board.machine.bus.device("virtio-blk")));
    }
    line.0.extend(board.machine.args.iter().chain(&options.extra).map(OsString::from));
    line.0
}

fn wire(line: &mut Line, wiring: &Wiring, bus: Bus) {
    line.option("-chardev", format!("socket,id=console,fd={}", wiring.console));
    line.option("-serial", "chardev:console");
    line.option("-chardev", format!("socket,id=monitor,fd={}", wiring.monitor));
    line.option("-mon", "chardev=monitor,mode=control");
    if !wiring.ports.is_empty() {
        line.option("-device", format!("{},id=ports", bus.device("virtio-serial")));
    }
    for (number, (name, fd)) in (1..).zip(&wiring.ports) {
        line.option("-chardev", format!("socket,id=port{number},fd={fd}"));
        line.option(
            "-device",
            format!("virtserialport,bus=ports.0,nr={number},chardev=port{number},name={name}"),
        );
    }
}

fn network(line: &mut Line, forwards: &[Forward], arch: Arch, bus: Bus) {
    let mut user = "user,id=net0".to_owned();
    for Forward { host, guest } in forwards {
        user.push_str(&format!(",hostfwd=tcp:127.0.0.1:{host}-:{guest}"));
    }
    line.option("-netdev", user);
    // No boot ROM: PCs would spend a second asking the network.
    let rom = if arch == Arch::X86_64 && bus == Bus::Pci { ",romfile=" } else { "" };
    line.option("-device", format!("{},netdev=net0{rom}", bus.device("virtio-net")));
}

#[derive(Default)]
struct Line(Vec<OsString>);

impl Line {
    fn words(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(OsString::from));
    }

    fn option(&mut self, name: &str, value: impl std::fmt::Display) {
        self.0.extend([name.into(), value.to_string().into()]);
    }

    fn path(&mut self, name: &str, path: &std::path::Path) {
        self.0.extend([name.into(), path.into()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forward_is_two_port_numbers() {
        assert_eq!("8080:80".parse(), Ok(Forward { host: 8080, guest: 80 }));
        for wrong in ["", "80", "x:80", "80:", "80:0", "80:99999"] {
            assert!(wrong.parse::<Forward>().is_err(), "{wrong}");
        }
    }
}
