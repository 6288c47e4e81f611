//! Netlink messages, whatever they are about.
//!
//! A message is a header, a fixed part and attributes: a length, a number and a
//! value, which may be attributes again. Lengths are known only at the end of a
//! thing, so they are filled in then. A buffer holds any number of messages that
//! go to the kernel together; one that is full says so at the end, and nothing is
//! sent. Pure.

/// `struct nlmsghdr`: length (4), type (2), flags (2), sequence number (4), port (4).
const HEADER: usize = 16;

/// NLM_F_REQUEST and its like.
pub const REQUEST: u16 = 0x1;
/// Make it if it is not there, …
pub const CREATE: u16 = 0x400;
/// … and replace it if it is, …
pub const REPLACE: u16 = 0x100;
/// … or refuse then, …
pub const EXCLUSIVE: u16 = 0x200;
/// … or put it behind others.
pub const APPEND: u16 = 0x800;
/// All there are.
pub const DUMP: u16 = 0x300;

/// Messages that are being written.
pub struct Messages<'b> {
    buffer: &'b mut [u8],
    used: usize,
    /// Where the last one begins.
    last: usize,
    fits: bool,
}

/// Where an attribute with attributes in it begins.
#[must_use]
pub struct Nest(usize);

impl<'b> Messages<'b> {
    pub fn new(buffer: &'b mut [u8]) -> Self {
        Messages { buffer, used: 0, last: 0, fits: true }
    }

    /// Begins a message. `sequence` comes back with a refusal of it.
    #[inline(never)]
    pub fn begin(&mut self, kind: u16, flags: u16, sequence: u32, fixed: &[u8]) {
        self.end_message();
        self.last = self.used;
        self.put(&[0; 4]);
        self.put_pair(kind, flags | REQUEST);
        self.put(&sequence.to_ne_bytes());
        self.put(&[0; 4]);
        self.put(fixed);
    }

    /// Adds an attribute.
    #[inline(never)]
    pub fn attribute(&mut self, kind: u16, value: &[u8]) {
        let nest = self.nest(kind);
        self.put(value);
        self.end(nest);
        // Padded to four bytes, which are not part of its length.
        let odd = self.used & 3;
        self.put([0u8; 4].get(odd..).filter(|_| odd != 0).unwrap_or(&[]));
    }

    pub fn number(&mut self, kind: u16, value: u32) {
        self.attribute(kind, &value.to_ne_bytes());
    }

    /// Text as the kernel has it, with a NUL behind it.
    pub fn text(&mut self, kind: u16, value: &[u8]) {
        let mut name = [0u8; 64];
        for (to, from) in name.iter_mut().zip(value) {
            *to = *from;
        }
        let with_nul = name.get(..value.len().saturating_add(1));
        self.fits &= with_nul.is_some();
        self.attribute(kind, with_nul.unwrap_or(&[]));
    }

    /// Begins an attribute that has what follows in it.
    #[inline(never)]
    pub fn nest(&mut self, kind: u16) -> Nest {
        let nest = Nest(self.used);
        self.put_pair(0, kind);
        nest
    }

    /// Ends it.
    #[inline(never)]
    pub fn end(&mut self, nest: Nest) {
        let length = self.used.saturating_sub(nest.0);
        self.fits &= length <= usize::from(u16::MAX);
        self.set(nest.0, &(length as u16).to_ne_bytes());
    }

    #[inline(never)]
    pub fn put(&mut self, bytes: &[u8]) {
        self.set(self.used, bytes);
        self.used = self.used.saturating_add(bytes.len());
    }

    fn put_pair(&mut self, one: u16, other: u16) {
        self.put(&(u32::from(one) | u32::from(other) << 16).to_le_bytes());
    }

    fn set(&mut self, at: usize, bytes: &[u8]) {
        match self.buffer.get_mut(at..at.saturating_add(bytes.len())) {
            Some(place) => place.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from),
            None => self.fits = false,
        }
    }

    fn end_message(&mut self) {
        let length = self.used.saturating_sub(self.last) as u32;
        if length > 0 {
            self.set(self.last, &length.to_ne_bytes());
        }
    }

    /// All of them, or `None` if the buffer was too small.
    pub fn finish(mut self) -> Option<&'b [u8]> {
        self.end_message();
        let Messages { buffer, used, fits, .. } = self;
        buffer.get(..used).filter(|_| fits)
    }
}

/// A message of the kernel's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message<'a> {
    pub kind: u16,
    pub flags: u16,
    pub sequence: u32,
    /// The fixed part and the attributes.
    pub payload: &'a [u8],
}

/// NLMSG_ERROR and NLMSG_DONE.
const ERROR: u16 = 2;
pub const DONE: u16 = 3;

/// The messages in what was received. What is cut off or lies about its length ends them.
pub fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    core::iter::from_fn(move || {
        let length = number(bytes)? as usize;
        let message = bytes.get(..length)?;
        let (kind, flags) = (half(message.get(4..)?)?, half(message.get(6..)?)?);
        let sequence = number(message.get(8..)?)?;
        let payload = message.get(HEADER..)?;
        bytes = bytes.get(padded(length)..).unwrap_or(&[]);
        Some(Message { kind, flags, sequence, payload })
    })
}

/// The attributes in a part of a message, without the flags in their numbers.
pub fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    /// NLA_F_NESTED and NLA_F_NET_BYTEORDER.
    const FLAGS: u16 = 0xc000;
    core::iter::from_fn(move || {
        let length = half(bytes)?.into();
        let kind = half(bytes.get(2..)?)? & !FLAGS;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(padded(length)..).unwrap_or(&[]);
        Some((kind, value))
    })
}

/// The value of an attribute.
#[inline(never)]
pub fn find(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

/// A number in the machine's own order, at the start of some bytes.
#[inline(never)]
pub fn number(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

#[inline(never)]
fn half(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes))
}

fn padded(length: usize) -> usize {
    length.saturating_add(3) & !3
}

/// What the kernel has refused, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal<'a> {
    pub errno: u16,
    /// Its own words, or none.
    pub reason: &'a [u8],
}

impl<'a> Message<'a> {
    /// `None`: it is no refusal. An acknowledgement is one of errno 0, which is none either.
    pub fn refusal(&self) -> Option<Refusal<'a>> {
        /// NLM_F_CAPPED and NLM_F_ACK_TLVS.
        const CAPPED: u16 = 0x100;
        const HAS_REASONS: u16 = 0x200;
        const TEXT: u16 = 1;
        if self.kind != ERROR {
            return None;
        }
        // `struct nlmsgerr`: minus the errno, and what was refused, or its header.
        let errno = u16::try_from(number(self.payload)?.wrapping_neg()).unwrap_or(u16::MAX);
        let mut reason: &[u8] = &[];
        if self.flags & HAS_REASONS != 0 {
            let length =
                if self.flags & CAPPED != 0 { HEADER } else { number(self.payload.get(4..)?)? as usize };
            let attributes = self.payload.get(padded(length).saturating_add(4)..);
            let text = attributes.and_then(|attributes| find(attributes, TEXT));
            reason = text.and_then(|text| text.split(|byte| *byte == 0).next()).unwrap_or(&[]);
        }
        (errno != 0).then_some(Refusal { errno, reason })
    }
}
