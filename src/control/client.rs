//! A command's end of the control socket.

use super::protocol::{PATH, REPLY, REQUEST, Refusal, Request, VERSION};
use super::{Streams, exit};
use crate::put;
use crate::sys::socket::{self, Kind};
use crate::sys::{Errno, OwnedFd};
use crate::text::{Show, Sink, Text};

pub(super) struct Connection {
    socket: OwnedFd,
    reply: [u8; REPLY],
    length: usize,
}

/// Why there is no answer.
#[derive(Clone, Copy)]
pub(super) enum Failure<'a> {
    /// Nobody listens.
    Connect(Errno),
    /// The connection broke.
    Lost,
    /// PID 1 has another mind; what belongs to it, and what was asked about.
    Refused { refusal: Refusal, rest: &'a [u8], name: &'a [u8] },
}

impl Connection {
    pub fn open<'a>() -> Result<Connection, Failure<'a>> {
        let socket = socket::connect(PATH, Kind::Packets).map_err(Failure::Connect)?;
        Ok(Connection { socket, reply: [0; REPLY], length: 0 })
    }

    /// Sends a request, waits for its reply, and gives what is behind the reply's first byte.
    pub fn ask<'a>(&'a mut self, request: &Request<'a>) -> Result<&'a [u8], Failure<'a>> {
        let mut packet = Text::<REQUEST>::new();
        request.encode(&mut packet);
        let socket = self.socket.borrow();
        let sent = socket::send(socket, packet.as_bytes());
        self.length = loop {
            match socket::receive(socket, &mut self.reply) {
                Err(Errno::EINTR) => {}
                // What was refused before it was read has an answer all the same.
                Err(_) | Ok(0) => return Err(Failure::Lost),
                Ok(_) if sent.is_err() && self.reply.first() == Some(&0) => return Err(Failure::Lost),
                Ok(length) => break length,
            }
        };
        let reply = self.reply.get(..self.length).unwrap_or(&self.reply);
        match reply.split_first() {
            Some((0, rest)) => Ok(rest),
            Some((byte, rest)) => {
                let refusal = Refusal::from_byte(*byte).unwrap_or(Refusal::Malformed);
                Err(Failure::Refused { refusal, rest, name: request.name })
            }
            None => Err(Failure::Lost),
        }
    }
}

impl Failure<'_> {
    pub fn is_no_more(self) -> bool {
        matches!(self, Failure::Refused { refusal: Refusal::NoMore, .. })
    }

    /// Says it, and what to exit with.
    pub fn tell(self, command: &str, streams: &mut Streams) -> u8 {
        put!(*streams.err, "corm ", command, ": ", self, "\n");
        match self {
            Failure::Connect(Errno::EACCES | Errno::EPERM) => exit::NO_PERMISSION,
            Failure::Connect(_) | Failure::Lost => exit::UNAVAILABLE,
            Failure::Refused { refusal, .. } => match refusal {
                Refusal::Forbidden => exit::NO_PERMISSION,
                Refusal::Unknown => exit::NO_INPUT,
                Refusal::Version | Refusal::Malformed | Refusal::TooMany | Refusal::TooLate => {
                    exit::UNAVAILABLE
                }
                Refusal::NoMore | Refusal::Masked | Refusal::NotRunning | Refusal::Unable => exit::FAILED,
            },
        }
    }
}

impl Show for Failure<'_> {
    fn show(&self, out: &mut dyn Sink) {
        match *self {
            Failure::Connect(errno) => {
                put!(*out, "cannot reach PID 1 through ", PATH, ": ", errno);
                match errno {
                    Errno::ENOENT | Errno::ECONNREFUSED => put!(*out, "; is corm PID 1 here?"),
                    Errno::EACCES => {
                        put!(*out, "; it is for root, and for the group in system.control-group")
                    }
                    _ => {}
                }
            }
            Failure::Lost => put!(*out, "PID 1 has closed the connection"),
            Failure::Refused { refusal, rest, name } => match refusal {
                Refusal::Version => {
                    let theirs = rest.first().copied().unwrap_or(0);
                    put!(*out, "PID 1 speaks version ", theirs, " of the protocol, not ", VERSION);
                }
                Refusal::Malformed => put!(*out, "PID 1 did not understand the request"),
                Refusal::Forbidden => put!(*out, "only root may do this"),
                Refusal::Unknown => {
                    put!(*out, "there is no workload `", name, "`");
                    match rest {
                        b"" => put!(*out, "; `corm ps` lists them"),
                        near => put!(*out, "; did you mean `", near, "`?"),
                    }
                }
                Refusal::NoMore => put!(*out, "there are no more"),
                Refusal::TooLate => put!(*out, name, ": the machine is ending, or in a rescue"),
                Refusal::Masked => put!(*out, name, " is masked by the kernel command line"),
                Refusal::NotRunning => put!(*out, name, " is not running"),
                Refusal::Unable => {
                    let errno = rest
                        .first_chunk()
                        .map_or(Errno::EIO, |raw| Errno::from_raw(u16::from_le_bytes(*raw)));
                    put!(*out, name, ": ", errno);
                }
                Refusal::TooMany => put!(*out, "there are too many clients"),
            },
        }
    }
}
