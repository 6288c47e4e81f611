//! How workloads say that they are ready and well, and how they are asked.
//!
//! A workload that is to say so itself finds a datagram socket in its /dev, made anew for
//! each start, or has a pipe at the descriptor it asked for. Whoever can reach the socket
//! is inside its walls, or the machine's root; and the kernel says who has sent a message,
//! so what counts comes from its main process, from its cgroup or, where the sender has
//! already ended and has no cgroup to ask for, from its user. Nothing is ever answered,
//! so nobody who does not read can make PID 1 wait.

use super::Init;
use super::state::Source;
use crate::config::{Network, RANGE, Ready, User, Workload, WorkloadId};
use crate::supervise::{self, Event, UnitEvent};
use crate::sys::children::{self, Side};
use crate::sys::datagram::Sender;
use crate::sys::event::Interest;
use crate::sys::io::{self, PipeFlags};
use crate::sys::process::{self, Namespaces};
use crate::sys::{BorrowedFd, Errno, OwnedFd, datagram, fs};
use crate::text::Text;
use crate::{error, put, sandbox, warn};

/// Messages of one workload that are read before others have their turn.
const BATCH: usize = 8;

/// Bytes of a message; the three that mean something are short, and come first.
const MESSAGE: usize = 512;

/// What a workload gets for a start, besides its standard descriptors.
pub(super) struct Voice {
    socket: Option<OwnedFd>,
    /// The pipe's two ends, and which descriptor it wants.
    pipe: Option<(OwnedFd, OwnedFd, u8)>,
}

impl Voice {
    pub fn has_socket(&self) -> bool {
        self.socket.is_some()
    }

    pub fn descriptor(&self) -> Option<(BorrowedFd<'_>, u8)> {
        self.pipe.as_ref().map(|(_, writer, number)| (writer.borrow(), *number))
    }
}

impl Init {
    /// Gives a workload the means to say that it is ready.
    pub(super) fn give_voice(&self, workload: &Workload) -> Result<Voice, Errno> {
        let mut voice = Voice { socket: None, pipe: None };
        if let Ready::Descriptor(number) = workload.ready {
            let (reader, writer) = io::pipe(PipeFlags::Blocking)?;
            io::set_non_blocking(reader.borrow())?;
            voice.pipe = Some((reader, writer, number));
        }
        if workload.ready == Ready::Notify || workload.watchdog != 0 {
            let mut path = sandbox::notify_path(self.config, workload);
            let path = path.as_c_str().ok_or(Errno::ENAMETOOLONG)?;
            // The one of its last start. What an old process has yet to say is gone with it.
            match fs::remove_file(BorrowedFd::CWD, path) {
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(errno) => return Err(errno),
            }
            // Its directory is for root alone: who else gets here is within the workload's walls.
            let mask = process::set_umask(0);
            let socket = datagram::bind(path);
            process::set_umask(mask);
            voice.socket = Some(socket?);
        }
        Ok(voice)
    }

    /// Listens, from the start on.
    pub(super) fn listen(&mut self, id: WorkloadId, voice: Voice) {
        self.be_deaf(id);
        let pipe = voice.pipe.map(|(reader, ..)| reader);
        for (fd, source) in [(&voice.socket, Source::Notice(id)), (&pipe, Source::Newline(id))] {
            if let Some(fd) = fd {
                self.watch(fd.borrow(), Interest::Readable, source);
            }
        }
        if let Some(edge) = self.state.edge(id) {
            (edge.notices, edge.newline) = (voice.socket, pipe);
        }
    }

    /// Its start is over: nobody speaks for it any more, or is still asked.
    pub(super) fn be_deaf(&mut self, id: WorkloadId) {
        let Some(edge) = self.state.edge(id) else { return };
        let (notices, newline, probe) = (edge.notices.take(), edge.newline.take(), edge.probe.take());
        for fd in [notices, newline].into_iter().flatten() {
            self.forget(fd);
        }
        end_probe(probe);
    }

    /// Reads what a workload has sent to its socket.
    pub(super) fn take_notices(&mut self, id: WorkloadId) {
        // That its program runs comes before what the program says.
        self.take_report(id);
        for _ in 0..BATCH {
            let mut buffer = [0; MESSAGE];
            let Some(socket) = self.state.edge(id).and_then(|edge| edge.notices.as_ref()) else { return };
            let Ok((length, sender)) = datagram::receive(socket.borrow(), &mut buffer) else { return };
            if !sender.is_some_and(|sender| self.is_of(id, sender)) {
                continue;
            }
            for event in supervise::notice::events(buffer.get(..length).unwrap_or(&[])) {
                self.step(Event::Unit(id, event));
            }
        }
    }

    /// Is, or was, this process one of the workload's?
    fn is_of(&self, id: WorkloadId, Sender { pid, uid }: Sender) -> bool {
        let unit = self.state.supervisor.unit(id);
        if unit.and_then(supervise::Unit::pid) == Some(pid) {
            return true;
        }
        let mut path = Text::<32>::new();
        put!(path, "/proc/", pid, "/cgroup");
        let mut buffer = [0; 512];
        let cgroup = path.as_c_str().and_then(|path| fs::read_file(BorrowedFd::CWD, path, &mut buffer).ok());
        let Some(cgroup) = cgroup else { return self.config.workload(id).is_some_and(|of| owns(of, uid)) };
        let rest = cgroup.strip_prefix(b"0::/").and_then(|rest| rest.strip_prefix(self.name(id)));
        matches!(rest, Some([b'\n' | b'/', ..]))
    }

    /// Reads from the pipe of `ready = { fd = … }`: what counts is a newline.
    pub(super) fn take_newline(&mut self, id: WorkloadId) {
        self.take_report(id);
        let Some(edge) = self.state.edge(id) else { return };
        let Some(pipe) = edge.newline.take() else { return };
        let mut buffer = [0; 64];
        match io::read(pipe.borrow(), &mut buffer) {
            Ok(length @ 1..) => {
                if buffer.get(..length).is_some_and(|text| text.contains(&b'\n')) {
                    self.forget(pipe);
                    return self.step(Event::Unit(id, UnitEvent::Ready));
                }
                edge.newline = Some(pipe);
            }
            Err(Errno::EAGAIN | Errno::EINTR) => edge.newline = Some(pipe),
            // It is closed; the start timeout is for this.
            Ok(0) | Err(_) => self.forget(pipe),
        }
    }

    /// Asks a workload how it is. A child does, since it has to be in the workload's network.
    pub(super) fn probe(&mut self, id: WorkloadId) {
        let Some(workload) = self.config.workload(id) else { return };
        let Some(unit) = self.state.supervisor.unit(id) else { return };
        let own_network = !workload.privileged && workload.network != Network::Host;
        let pid = unit.pid().filter(|_| own_network);
        let probe = match children::fork() {
            Ok(Side::Child) => process::exit(u8::from(!is_well(workload, pid))),
            Ok(Side::Parent(child)) => child,
            Err(errno) => return warn!(self.name(id), ": cannot probe it: ", errno),
        };
        if let Some(edge) = self.state.edge(id) {
            end_probe(edge.probe.replace(probe));
        }
    }

    /// A child has ended that may have asked a workload how it is.
    pub(super) fn probed(&mut self, pid: u32, exit: supervise::Exit) {
        let Some(index) = self.state.edges.iter().position(|edge| edge.probe == Some(pid)) else { return };
        // No more than 16 bits count.
        let id = WorkloadId(index as u16);
        if let Some(edge) = self.state.edge(id) {
            edge.probe = None;
        }
        self.step(Event::Unit(id, UnitEvent::Probed { fine: !exit.is_failure() }));
    }

    pub(super) fn tell_voiceless(&self, id: WorkloadId, errno: Errno) {
        error!(self.name(id), ": cannot give it a way to say that it is ready: ", errno);
    }
}

/// Whether a workload's processes run as this user.
fn owns(workload: &Workload, uid: u32) -> bool {
    match workload.user {
        User::Ids { uid: own, .. } => own == uid,
        User::Auto { .. } if workload.privileged => uid == 0,
        User::Auto { first } => uid.wrapping_sub(first) < RANGE,
    }
}

/// The one who asks takes too long.
fn end_probe(probe: Option<u32>) {
    if let Some(pid) = probe {
        // It is our child and not reaped, so the number is its; it may have ended.
        let _ = children::kill(pid, libc::SIGKILL as u8);
    }
}

/// In the child: does the port answer, in the network of this process?
fn is_well(workload: &Workload, of: Option<u32>) -> bool {
    let entered = match of {
        Some(pid) => process::open(pid).and_then(|pid| process::enter(pid.borrow(), Namespaces::NETWORK)),
        None => Ok(()),
    };
    let probe = workload.probe;
    entered.and_then(|()| datagram::can_connect(probe.port, probe.timeout)).is_ok()
}
