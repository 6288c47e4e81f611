//! The control socket: who may connect, what is asked, what is answered.
//!
//! A client is a descriptor, whether it may change anything, and what it waits for;
//! there is no queue, neither of requests nor of replies. One request is read when epoll
//! says so, and its reply is sent at once: the socket's own buffer holds many, so the one
//! who does not get it is a client that does not read, and is dropped. So nobody can make
//! PID 1 wait, or grow.
//!
//! There is room for [`limits::CLIENTS`]. When it is used up, a newcomer takes the place of
//! the one that has been silent for longest; one who may only look takes no place of
//! one who may do more. Opening ten thousand connections locks nobody out.

use super::Init;
use super::state::Source;
use crate::config::{WorkloadId, near};
use crate::control::protocol::{self, Field, Op, REPLY, REQUEST, Refusal, Request, Row};
use crate::log::ring::{Place, Ring};
use crate::supervise::{End, Event, Phase, State, UnitEvent};
use crate::sys::event::Interest;
use crate::sys::socket::{self, Kind};
use crate::sys::{BorrowedFd, Errno, OwnedFd, children, clock, fs, process};
use crate::text::{Sink, Text};
use crate::{info, limits, log, warn};

/// One connection.
pub struct Client {
    socket: Option<OwnedFd>,
    /// It may change something.
    trusted: bool,
    waits: Waits,
    /// When it last asked for anything, in milliseconds since boot.
    heard: u64,
}

impl Client {
    #[inline(always)]
    pub fn is_waiting(&self) -> bool {
        self.waits != Waits::Nothing
    }

    pub const NONE: Client = Client { socket: None, trusted: false, waits: Waits::Nothing, heard: 0 };
}

/// What a client's reply waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    Nothing,
    Up(WorkloadId),
    Down(WorkloadId),
    /// That ring has grown past that place. `None` is corm's own.
    Log(Option<WorkloadId>, u64),
    /// So many lines have been written to all rings.
    AnyLog(u64),
}

type Reply = Text<REPLY>;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 16;

impl Init {
    pub(super) fn open_control(&mut self) {
        // Somebody of an earlier life in this container may have left it.
        let _ = fs::remove_file(BorrowedFd::CWD, protocol::PATH);
        let group = self.config.system.control_group;
        let mask = process::set_umask(if group.is_some() { 0o117 } else { 0o177 });
        let listener = socket::listen(protocol::PATH, Kind::Packets, BACKLOG);
        process::set_umask(mask);
        let opened = listener.and_then(|listener| {
            if let Some(group) = group {
                fs::change_owner(BorrowedFd::CWD, protocol::PATH, 0, group)?;
            }
            Ok(listener)
        });
        match opened {
            Ok(listener) => {
                self.watch(listener.borrow(), Interest::Readable, Source::Control);
                self.state.control = Some(listener);
            }
            Err(errno) => warn!("nobody can control this machine through ", protocol::PATH, ": ", errno),
        }
    }

    /// One connection; the next comes when epoll says so.
    pub(super) fn accept_client(&mut self) {
        let Some(listener) = &self.state.control else { return };
        // Whoever has gone again is none.
        let Ok(socket) = socket::accept(listener.borrow()) else { return };
        let trusted = socket::peer(socket.borrow()) == Ok(0);
        let Some(slot) = self.place_for(trusted) else {
            // It is told, if it can be.
            let _ = socket::send(socket.borrow(), &[Refusal::TooMany.byte()]);
            return;
        };
        self.drop_client(slot);
        self.watch(socket.borrow(), Interest::Readable, Source::Client(slot));
        if let Some(client) = self.state.clients.get_mut(usize::from(slot)) {
            *client = Client { socket: Some(socket), trusted, waits: Waits::Nothing, heard: clock::now() };
        }
    }

    /// A free place, or that of the one that has been silent for longest.
    fn place_for(&self, trusted: bool) -> Option<u16> {
        let clients = || self.state.clients.iter().zip(0u16..);
        let watches = |client: &Client| client.socket.is_some() && !client.trusted;
        let watchers = clients().filter(|(client, _)| watches(client)).count();
        let free = clients().find(|(client, _)| client.socket.is_none());
        if let Some((_, slot)) = free.filter(|_| trusted || watchers < limits::WATCHERS) {
            return Some(slot);
        }
        let may_go =
            clients().filter(|(client, _)| watchers > 0 && watches(client) || watchers == 0 && trusted);
        may_go.min_by_key(|(client, _)| client.heard).map(|(_, slot)| slot)
    }

    fn drop_client(&mut self, slot: u16) {
        let Some(client) = self.state.clients.get_mut(usize::from(slot)) else { return };
        client.waits = Waits::Nothing;
        if let Some(socket) = client.socket.take() {
            self.forget(socket);
            // Until the next one, this code need not be in memory.
            self.sated = true;
        }
    }

    /// One request.
    pub(super) fn serve(&mut self, slot: u16) {
        let Some(client) = self.state.clients.get_mut(usize::from(slot)) else { return };
        let (Some(socket), waits) = (&client.socket, client.waits) else { return };
        // One more than a request has, so that a longer one does not look like one.
        let mut packet = [0; REQUEST + 1];
        let count = match socket::receive(socket.borrow(), &mut packet) {
            Err(Errno::EAGAIN | Errno::EINTR) => return,
            Ok(count) if count > 0 && waits == Waits::Nothing => count,
            // It is gone, or talks while it should listen.
            _ => return self.drop_client(slot),
        };
        client.heard = clock::now();
        let trusted = client.trusted;
        let request = packet.get(..count).ok_or(Refusal::Malformed).and_then(Request::decode);
        let mut reply = Reply::new();
        reply.put(&[0]);
        match request.and_then(|request| self.obey(request, trusted, &mut reply)) {
            Ok(Waits::Nothing) => self.answer(slot, &reply),
            Ok(waits) => {
                if let Some(client) = self.state.clients.get_mut(usize::from(slot)) {
                    client.waits = waits;
                }
            }
            Err(refusal) => {
                // Behind its byte is what `obey` has put there.
                let mut refused = Reply::new();
                refused.put(&[refusal.byte()]);
                refused.put(reply.as_bytes().get(1..).unwrap_or(&[]));
                self.answer(slot, &refused);
            }
        }
    }

    fn answer(&mut self, slot: u16, reply: &Reply) {
        let Some(client) = self.state.clients.get_mut(usize::from(slot)) else { return };
        client.waits = Waits::Nothing;
        let Some(socket) = &client.socket else { return };
        if socket::send(socket.borrow(), reply.as_bytes()).is_err() {
            self.drop_client(slot);
        }
    }

    /// Answers those whose reply waits for something that is there now.
    pub(super) fn answer_waiting(&mut self) {
        for slot in 0..limits::CLIENTS as u16 {
            let waits =
                self.state.clients.get(usize::from(slot)).map_or(Waits::Nothing, |client| client.waits);
            if waits == Waits::Nothing {
                continue;
            }
            let mut reply = Reply::new();
            reply.put(&[0]);
            if self.is_there(waits, &mut reply) {
                self.answer(slot, &reply);
            }
        }
    }

    fn is_there(&self, waits: Waits, reply: &mut Reply) -> bool {
        let state = |id| self.state.supervisor.unit(id).map(crate::supervise::Unit::state);
        let row = match waits {
            Waits::Nothing => return false,
            Waits::Up(id) => state(id).is_none_or(State::is_up_or_will_not_be).then_some(id),
            Waits::Down(id) => state(id).is_none_or(State::is_down).then_some(id),
            Waits::Log(id, place) => return self.ring(id).is_some_and(|(ring, _)| ring.numbers().0 > place),
            Waits::AnyLog(lines) => {
                let now = self.all_lines();
                reply.put(&now.to_le_bytes());
                return now != lines;
            }
        };
        row.inspect(|id| self.put_row(*id, reply)).is_some()
    }

    /// Lines in all rings, corm's own among them.
    fn all_lines(&self) -> u64 {
        let rings = self.config.ids().map(Some).chain([None]).filter_map(|id| self.ring(id));
        rings.fold(0, |sum, (ring, _)| sum.wrapping_add(ring.numbers().1.into()))
    }

    fn ring(&self, id: Option<WorkloadId>) -> Option<(Ring, Place)> {
        let Some(id) = id else { return Some((log::own_ring(), log::OWN)) };
        let workload = self.config.workload(id)?;
        Some((self.state.edges.get(id.index())?.ring, super::output::place(id, workload.log)))
    }

    /// Does what is asked. The reply has its first byte already.
    fn obey(&mut self, request: Request, trusted: bool, reply: &mut Reply) -> Result<Waits, Refusal> {
        if request.op as u8 >= Op::Start as u8 && !trusted {
            return Err(Refusal::Forbidden);
        }
        let id = if request.name.is_empty() { None } else { Some(self.find(request.name, reply)?) };
        match request.op {
            Op::Row => {
                let place = id.map_or(request.place, |id| id.0.into());
                let id = u16::try_from(place).map(WorkloadId).ok();
                let id = id.filter(|id| self.config.workload(*id).is_some()).ok_or(Refusal::NoMore)?;
                self.put_row(id, reply);
                return Ok(Waits::Nothing);
            }
            Op::Log => {
                self.put_log(id, request.place, reply);
                return Ok(Waits::Nothing);
            }
            Op::AwaitLog => {
                let all = request.argument != 0;
                let waits = if all { Waits::AnyLog(request.place) } else { Waits::Log(id, request.place) };
                return Ok(if self.is_there(waits, reply) { Waits::Nothing } else { waits });
            }
            Op::End => {
                let end = match request.argument {
                    _ if self.found.container => End::Exit,
                    0 => End::PowerOff,
                    1 => End::Reboot,
                    2 => End::Halt,
                    _ => return Err(Refusal::Malformed),
                };
                self.step(Event::Shutdown(end));
                return Ok(Waits::Nothing);
            }
            Op::Config => {
                let file = self.state.sources.file(request.argument.into()).ok_or(Refusal::NoMore)?;
                let from = usize::try_from(request.place).unwrap_or(usize::MAX);
                let rest = file.get(from..).unwrap_or(&[]);
                reply.put(rest.get(..REPLY - 1).unwrap_or(rest));
                return Ok(Waits::Nothing);
            }
            Op::AwaitUp | Op::AwaitDown | Op::Start | Op::Stop | Op::Restart => {}
            Op::Kill | Op::Pause | Op::Resume => {}
        }
        let id = id.ok_or(Refusal::Malformed)?;
        let waits = match request.op {
            Op::AwaitUp => Waits::Up(id),
            Op::AwaitDown => Waits::Down(id),
            op => {
                self.order(id, op, request.argument)
                    .inspect_err(|(_, errno)| {
                        reply.put(&errno.map_or(0, Errno::raw).to_le_bytes());
                    })
                    .map_err(|(refusal, _)| refusal)?;
                self.put_row(id, reply);
                return Ok(Waits::Nothing);
            }
        };
        Ok(if self.is_there(waits, reply) { Waits::Nothing } else { waits })
    }

    fn order(&mut self, id: WorkloadId, op: Op, argument: u8) -> Result<(), (Refusal, Option<Errno>)> {
        let unable = |errno| (Refusal::Unable, Some(errno));
        let Some(unit) = self.state.supervisor.unit(id) else { return Err((Refusal::Unknown, None)) };
        let (state, pid) = (unit.state(), unit.pid().ok_or((Refusal::NotRunning, None)));
        let late = match self.state.supervisor.phase() {
            Phase::Booting | Phase::Up => false,
            Phase::Rescue => op != Op::Stop,
            Phase::Ending { .. } | Phase::Ended { .. } => true,
        };
        let order = match op {
            Op::Kill if !(1..=64).contains(&argument) => return Err((Refusal::Malformed, None)),
            Op::Kill if argument != libc::SIGKILL as u8 => {
                return children::kill(pid?, argument).map_err(unable);
            }
            Op::Kill => pid.map(|_| UnitEvent::Kill)?,
            Op::Pause | Op::Resume if !matches!(state, State::Running { .. }) => {
                return Err((Refusal::NotRunning, None));
            }
            Op::Pause => UnitEvent::Pause,
            Op::Resume => UnitEvent::Resume,
            _ if late => return Err((Refusal::TooLate, None)),
            _ if state == State::Masked => return Err((Refusal::Masked, None)),
            Op::Stop => UnitEvent::Stop,
            Op::Restart => UnitEvent::Restart,
            _ => UnitEvent::Start,
        };
        match op {
            Op::Start => info!(self.name(id), ": asked to start"),
            Op::Stop => info!(self.name(id), ": asked to stop"),
            Op::Restart => info!(self.name(id), ": asked to restart"),
            // Of the others the supervisor tells.
            _ => {}
        }
        self.step(Event::Unit(id, order));
        if matches!(op, Op::Pause | Op::Resume) {
            // Whoever is told that it is so finds it so.
            self.act();
        }
        Ok(())
    }

    fn find(&self, name: &[u8], reply: &mut Reply) -> Result<WorkloadId, Refusal> {
        self.config.ids().find(|id| self.name(*id) == name).ok_or_else(|| {
            let mut names = self.config.ids().map(|id| self.name(id));
            reply.put(near::nearest(name, &mut names).unwrap_or(b""));
            Refusal::Unknown
        })
    }

    fn put_log(&self, id: Option<WorkloadId>, from: u64, reply: &mut Reply) {
        let mut records = [0; REPLY - 1 - size_of::<u64>()];
        let (count, next) = match (self.ring(id), log::rings()) {
            (Some((ring, place)), Some(file)) => ring.read(file, place, from, &mut records),
            _ => (0, from),
        };
        reply.put(&next.to_le_bytes());
        reply.put(records.get(..count).unwrap_or(&[]));
    }

    fn put_row(&self, id: WorkloadId, reply: &mut Reply) {
        let (Some(unit), Some(edge)) = (self.state.supervisor.unit(id), self.state.edges.get(id.index()))
        else {
            return;
        };
        let state = if unit.is_paused() { "paused" } else { unit.state().word() };
        let mut row = Row::new(self.name(id), state.as_bytes());
        row.set(Field::Pid, unit.pid().map(u64::from));
        row.set(Field::Since, unit.state().since());
        row.set(Field::Restarts, Some(unit.launches().saturating_sub(1).into()));
        row.set(Field::Exit, Some(u64::from(edge.exit)).filter(|exit| *exit != 0));
        row.set(Field::OomKills, Some(edge.oom_kills.into()));
        row.set(Field::Lines, Some(edge.ring.numbers().1.into()));
        row.encode(reply);
    }
}
