//! The machine's own interfaces while it runs: carriers that come and go, addresses by DHCP, and the
//! name servers that are known.
//!
//! The kernel tells of each change on one socket, so an interface that comes late and a cable that
//! is put back are the same as what was there at the start. [`crate::net::dhcp`] decides what is to be
//! asked and taken; here are its sockets. While an interface has its lease there is nothing to read, so
//! nothing on the network wakes PID 1.
//!
//! What fails is a line in the log and is tried again when it is due.

use super::Init;
use super::state::Source;
use crate::config::Interface;
use crate::config::address::{Cidr, Ip, ip};
use crate::net::conversation::{Conversation, Trouble};
use crate::net::dhcp::{Action, Client, Gone, Kind, Listen, To, message};
use crate::net::link::{self, Link, Told, What};
use crate::net::resolvers::{self, Server, Teller};
use crate::net::{message as netlink_message, names, uplink};
use crate::sys::event::Interest;
use crate::sys::fs;
use crate::sys::netlink::{self, Family};
use crate::sys::packet::{self, Protocol};
use crate::sys::{BorrowedFd, Errno, OwnedFd, children, clock, event, io, process};
use crate::text::{Millis, Text};
use crate::{info, put, warn};

/// One interface of the config.
pub struct Uplink {
    /// 0: it is not there.
    index: u32,
    /// It was on and had a carrier when that was last said.
    ready: bool,
    pub client: Client,
    /// What the client has on it; of no length: nothing.
    own: Cidr,
    /// What it listens to.
    socket: Option<OwnedFd>,
    listens: Listen,
    /// Held as long as it has a lease.
    port: Option<OwnedFd>,
    /// The address that was last written down for the next restart.
    kept: message::Four,
}

impl Uplink {
    pub const NONE: Uplink = Uplink {
        index: 0,
        ready: false,
        client: Client::NEW,
        own: NOTHING,
        socket: None,
        listens: Listen::Nothing,
        port: None,
        kept: [0; 4],
    };
}

const NOTHING: Cidr = Cidr { ip: Ip { six: false, all: [0; 16] }, length: 0 };
const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;
/// Packets that are read before others have their turn.
const BATCH: u8 = 16;
/// An Ethernet packet without its header.
const PACKET: usize = 1500;
/// Discoveries without an answer that are worth a line.
const SILENCE: u8 = 3;

impl Init {
    /// From now on the kernel keeps what it has to tell of interfaces and routers. To be called before an
    /// interface is turned on: routers answer then, and then not for a long time.
    pub(super) fn open_links(&mut self) {
        if self.config.interfaces.is_empty() {
            return;
        }
        let groups = netlink::LINKS | netlink::ROUTERS;
        let opened =
            netlink::open(Family::Route).and_then(|it| netlink::listen(it.borrow(), groups).map(|()| it));
        match opened {
            Ok(links) => self.state.links = Some(links),
            Err(errno) => warn!("network: cannot ", Trouble::new(What::Listen, errno)),
        }
    }

    /// Reads it, and what there is. To be called when the firewall stands.
    pub(super) fn watch_links(&mut self) {
        if let Some(links) = self.state.links.take().map(Conversation) {
            self.watch(links.0.borrow(), Interest::Readable, Source::Links);
            self.list_links(&links);
            self.state.links = Some(links.0);
        }
    }

    fn list_links(&mut self, kernel: &Conversation) {
        if let Err(trouble) = kernel.ask(&mut link::list) {
            warn!("network: cannot ", trouble);
        }
    }

    pub(super) fn take_link_news(&mut self) {
        // What is in the messages is used while others may come: so it is read a few at a time.
        let mut room = [0; netlink::ROOM];
        for _ in 0..BATCH {
            let Some(links) = self.state.links.take().map(Conversation) else { return };
            let came = io::read(links.0.borrow(), &mut room);
            if came == Err(Errno::ENOBUFS) {
                // Some of it is lost.
                self.list_links(&links);
            }
            self.state.links = Some(links.0);
            let length = match came {
                Ok(length) => length,
                Err(Errno::ENOBUFS) => 0,
                Err(_) => return,
            };
            for message in netlink_message::messages(room.get(..length).unwrap_or(&[])) {
                if let Some(link) = link::read(&message) {
                    self.link_changed(&link);
                }
                if let Some(told) = link::read_told(&message) {
                    self.take_servers(&told);
                }
            }
        }
    }

    /// A router has told of name servers, or takes them back.
    fn take_servers(&mut self, told: &Told) {
        let slot = self.state.uplinks.iter().position(|uplink| uplink.index == told.index);
        let Some(slot) = slot.filter(|_| told.index != 0) else { return };
        let now = clock::now();
        let until = match told.lifetime {
            u32::MAX => u64::MAX,
            seconds => now.saturating_add(u64::from(seconds).saturating_mul(1000)),
        };
        let resolvers = &mut self.state.resolvers;
        let mut changed = false;
        for server in told.servers.iter().filter(|server| resolvers::may_serve(server)) {
            let address = Ip { six: true, all: *server };
            changed |=
                resolvers.add(Server { address, teller: Teller::Router, interface: slot as u8, until });
        }
        if changed | resolvers.expire(now) {
            self.write_resolvers();
        }
    }

    fn link_changed(&mut self, link: &Link) {
        let config = self.config;
        let slot = config.interfaces.iter().position(|interface| config.bytes(interface.name) == link.name);
        let Some(slot) = slot else { return };
        let Some((interface, uplink)) = config.interfaces.get(slot).zip(self.state.uplinks.get_mut(slot))
        else {
            return;
        };
        // Its carrier is that of its ports, which come and go with workloads.
        if interface.bridge {
            return;
        }
        let (was, is_new) = (uplink.ready, uplink.index != link.index);
        if link.is_gone {
            if !is_new {
                // What it had is gone with it.
                let gone = core::mem::replace(uplink, Uplink::NONE);
                if let Some(socket) = gone.socket {
                    self.forget(socket);
                }
                self.forget_servers(slot);
            }
            return;
        }
        uplink.index = link.index;
        uplink.ready = link.is_ready;
        // Who waited for hardware at the start has set up what was there, and turned it on.
        if is_new && !link.is_on || !is_new && link.is_ready && !was {
            self.set_up(slot, interface, link.index);
        }
        let recalled = if is_new && interface.dhcp { self.recall_lease(slot) } else { None };
        let Some(uplink) = self.state.uplinks.get_mut(slot).filter(|_| interface.dhcp) else { return };
        if let Some(address) = recalled {
            uplink.client.remember(address);
        }
        if link.is_ready && (!was || is_new) {
            match link.mac {
                Some(mac) => {
                    uplink.client.start(mac, process::random(), clock::now());
                }
                None => warn!("network ", link.name, ": no DHCP: it is no Ethernet"),
            }
        } else if !link.is_ready && was {
            uplink.client.stop();
        }
        self.serve_uplink(slot);
    }

    fn set_up(&self, slot: usize, interface: &Interface, index: u32) {
        let done = Conversation::open(Family::Route)
            .and_then(|kernel| uplink::set_up(self.config, interface, &kernel, index));
        if let Err(trouble) = done {
            warn!("network ", self.interface_name(slot), ": cannot ", trouble);
        }
    }

    fn interface_name(&self, slot: usize) -> &'static [u8] {
        self.config.interfaces.get(slot).map_or(b"?", |interface| self.config.bytes(interface.name))
    }

    /// When there is something to do for a lease or a name server. Inlined, as what it calls, because
    /// PID 1 asks before each time it sleeps: all else here is given back by then.
    #[inline(always)]
    pub(super) fn network_due(&self) -> Option<u64> {
        let uplinks = self.state.uplinks.iter().take(self.config.interfaces.len());
        uplinks.filter_map(|uplink| uplink.client.due()).chain(self.state.resolvers.due()).min()
    }

    /// To be called when [that](Self::network_due) is over.
    pub(super) fn serve_network(&mut self) {
        let now = clock::now();
        self.sated = true;
        for slot in 0..self.config.interfaces.len() {
            self.serve_uplink(slot);
        }
        if self.state.resolvers.expire(now) {
            self.write_resolvers();
        }
    }

    /// Something came for an uplink's client.
    pub(super) fn take_packets(&mut self, slot: u16) {
        let slot = usize::from(slot);
        let mut room = [0; PACKET];
        let now = clock::now();
        let Some(uplink) = self.state.uplinks.get_mut(slot) else { return };
        for _ in 0..BATCH {
            let Some(socket) = &uplink.socket else { break };
            // ENETDOWN is told by another socket too.
            let Ok(length) = io::read(socket.borrow(), &mut room) else { break };
            let packet = room.get(..length).unwrap_or(&[]);
            match uplink.listens {
                Listen::Dhcp => uplink.client.receive(packet, now),
                Listen::Arp => uplink.client.hear(packet, now),
                Listen::Nothing => {}
            }
        }
        self.serve_uplink(slot);
    }

    /// Does what a client wants done now.
    fn serve_uplink(&mut self, slot: usize) {
        /// As many as a client has at once.
        const MOST: u8 = 4;
        for _ in 0..MOST {
            let Some(uplink) = self.state.uplinks.get_mut(slot) else { return };
            let action = uplink.client.poll(clock::now());
            self.listen_for(slot);
            match action {
                Some(Action::Send(kind, to)) => self.send(slot, kind, to),
                Some(Action::Probe) => self.probe_address(slot),
                Some(Action::Take) => self.take_lease(slot),
                Some(Action::Drop(gone)) => self.drop_lease(slot, gone),
                None => return,
            }
        }
    }

    /// Has the socket that the client listens to.
    fn listen_for(&mut self, slot: usize) {
        let name = self.interface_name(slot);
        let Some(uplink) = self.state.uplinks.get_mut(slot) else { return };
        let wanted = uplink.client.listens();
        if uplink.listens == wanted && (uplink.socket.is_some() || wanted == Listen::Nothing) {
            return;
        }
        uplink.listens = wanted;
        let index = uplink.index;
        let old = uplink.socket.take();
        if let Some(old) = old {
            self.forget(old);
        }
        let opened = match wanted {
            Listen::Nothing => None,
            Listen::Dhcp => Some(packet::open(index, Protocol::Ip, message::FILTER)),
            Listen::Arp => Some(packet::open(index, Protocol::Arp, &[message::ALL])),
        };
        let Some(uplink) = self.state.uplinks.get_mut(slot) else { return };
        uplink.socket = match opened.transpose() {
            Ok(socket) => socket,
            Err(errno) => {
                warn!("network ", name, ": no DHCP: cannot open a packet socket: ", errno);
                None
            }
        };
        if let Some(socket) = &uplink.socket {
            let token = Source::Uplink(slot as u16).token();
            if let Err(errno) = event::add(self.epoll.borrow(), socket.borrow(), Interest::Readable, token) {
                warn!("cannot wait for a descriptor: ", errno);
            }
        }
    }

    fn send(&mut self, slot: usize, kind: Kind, to: To) {
        let name = self.interface_name(slot);
        let hostname = self.config.system.hostname.map_or(&b""[..], |name| self.config.bytes(name));
        let Some(uplink) = self.state.uplinks.get_mut(slot) else { return };
        let packet = uplink.client.message(kind, hostname, clock::now());
        let server = uplink.client.lease().server;
        let sent = match (&uplink.port, to) {
            (Some(port), To::Server) => {
                let message = packet.get(message::HEADERS..).unwrap_or(&[]);
                packet::send_datagram(port.borrow(), server, SERVER_PORT, message)
            }
            // A refusal is sent when nothing is listened to any more.
            _ => match &uplink.socket {
                Some(socket) => packet::send(socket.borrow(), uplink.index, Protocol::Ip, &packet),
                None => packet::open(uplink.index, Protocol::Ip, &[message::NOTHING])
                    .and_then(|socket| packet::send(socket.borrow(), uplink.index, Protocol::Ip, &packet)),
            },
        };
        if kind == Kind::Decline {
            warn!(
                "network ",
                name,
                ": ",
                uplink.client.lease().cidr().ip,
                " is another machine's already; asking anew"
            );
        } else if kind == Kind::Discover && uplink.client.tries() == SILENCE {
            warn!("network ", name, ": no DHCP server has answered yet");
        }
        if let Err(errno) = sent {
            warn!("network ", name, ": DHCP: cannot send: ", errno);
        }
    }

    fn probe_address(&mut self, slot: usize) {
        let Some(uplink) = self.state.uplinks.get_mut(slot) else { return };
        if let Some(socket) = &uplink.socket {
            // One that is lost is one of three.
            let _ = packet::send(socket.borrow(), uplink.index, Protocol::Arp, &uplink.client.probe());
        }
    }

    fn take_lease(&mut self, slot: usize) {
        let name = self.interface_name(slot);
        let Some((interface, uplink)) =
            self.config.interfaces.get(slot).zip(self.state.uplinks.get_mut(slot))
        else {
            return;
        };
        let (index, lease) = (uplink.index, uplink.client.lease());
        let done = Conversation::open(Family::Route)
            .and_then(|kernel| uplink::take(interface, slot, &kernel, index, lease));
        if let Err(trouble) = done {
            warn!("network ", name, ": cannot ", trouble);
        }
        let is_new = uplink.own != lease.cidr();
        let is_kept = core::mem::replace(&mut uplink.kept, lease.address) == lease.address;
        uplink.own = lease.cidr();
        if is_new {
            let time = u64::from(lease.seconds).saturating_mul(1000);
            info!(
                "network ",
                name,
                ": ",
                lease.cidr(),
                " by DHCP from ",
                message::ip(lease.server),
                " for ",
                Millis(time)
            );
        }
        if uplink.port.is_none() {
            match packet::hold_port(index, CLIENT_PORT, &[message::NOTHING]) {
                Ok(port) => uplink.port = Some(port),
                // Everybody is asked then, in time.
                Err(errno) => warn!("network ", name, ": cannot hold the port of DHCP: ", errno),
            }
        }
        let resolvers = &mut self.state.resolvers;
        resolvers.forget(Teller::Lease, slot as u8);
        for address in &lease.resolvers {
            let address = message::ip(*address);
            resolvers.add(Server { address, teller: Teller::Lease, interface: slot as u8, until: u64::MAX });
        }
        if !lease.domain().is_empty() {
            (resolvers.domain, resolvers.domain_of) = (lease.domain, slot as u8);
        }
        self.write_resolvers();
        if !is_kept {
            self.keep_lease(slot);
        }
    }

    fn drop_lease(&mut self, slot: usize, gone: Gone) {
        let name = self.interface_name(slot);
        let Some(uplink) = self.state.uplinks.get_mut(slot) else { return };
        let index = uplink.index;
        let own = core::mem::replace(&mut uplink.own, NOTHING);
        let done = Conversation::open(Family::Route)
            .and_then(|kernel| kernel.say(&mut |out| link::remove_address(out, index, &own)));
        if let Err(trouble) = done {
            warn!("network ", name, ": cannot ", trouble);
        }
        let why = match gone {
            Gone::Expired => ": its time is over, and no server has renewed it",
            Gone::Refused => ": the server has taken it back",
            Gone::Changed => ": the server has changed its network or routes",
        };
        warn!("network ", name, ": ", own, " is gone", why);
        if gone != Gone::Changed {
            uplink.port = None;
            // Those of a router are not the lease's.
            if self.state.resolvers.forget(Teller::Lease, slot as u8) {
                self.write_resolvers();
            }
        }
    }

    fn forget_servers(&mut self, slot: usize) {
        let [lease, router] =
            [Teller::Lease, Teller::Router].map(|teller| self.state.resolvers.forget(teller, slot as u8));
        if lease || router {
            self.write_resolvers();
        }
    }

    /// The machine's own resolv.conf(5): a file of /run, since /etc may be read-only, and a link to it
    /// where an image has nothing of its own.
    pub(super) fn write_resolvers(&mut self) {
        let mut text = Text::<1280>::new();
        resolvers::write(self.config, &self.state.resolvers, &mut text);
        if let Err(errno) = names::write_resolvers(text.as_bytes()) {
            return warn!("cannot write ", names::RESOLVERS, ": ", errno);
        }
        // It is there, or cannot be: that was for the image's maker to see to.
        let _ = fs::make_symlink(c"../run/corm/resolv.conf", BorrowedFd::CWD, c"/etc/resolv.conf");
    }

    /// Has a child write the address where it outlives the machine's restart: a disk may take its time.
    fn keep_lease(&mut self, slot: usize) {
        let Some(uplink) = self.state.uplinks.get(slot) else { return };
        let mut text = Text::<{ uplink::ADDRESS }>::new();
        put!(text, uplink.client.lease().cidr().ip, "\n");
        if let Ok(children::Side::Child) = children::fork() {
            let mut path = uplink::lease_path(uplink::KEPT, self.interface_name(slot));
            // Without the directory it is not to be kept.
            let _ = path.as_c_str().map(|path| uplink::replace(path, text.as_bytes(), true));
            process::exit(0)
        }
    }

    /// The address that an interface had before the machine's restart.
    fn recall_lease(&self, slot: usize) -> Option<message::Four> {
        let mut path = uplink::lease_path(uplink::HERE, self.interface_name(slot));
        let mut text = [0; uplink::ADDRESS];
        let text = fs::read_file(BorrowedFd::CWD, path.as_c_str()?, &mut text).ok()?;
        let address = ip(text.strip_suffix(b"\n")?)?;
        address.bytes().first_chunk().copied().filter(|_| !address.six)
    }
}
