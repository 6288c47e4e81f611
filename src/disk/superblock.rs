//! What a block device says it is: its filesystem's superblock, and its place in a partition table.
//!
//! A filesystem is a row of a table: where its magic number is, and where it keeps its UUID and
//! label. corm looks for a name that a config gives, so nothing is decoded: what is there is
//! compared with what is wanted. The first row that fits counts; what else the bytes could be
//! is the kernel's to judge. Sources: each filesystem's on-disk structure in the kernel's
//! sources (fs/*/), and the UEFI specification 2.10, 5.3, for GPT.
//!
//! Pure, and fuzzed: these bytes come from any stick that is plugged in.

use core::ffi::CStr;

/// Where superblocks are looked for, and how many bytes there.
pub const PLACES: [u64; 2] = [0, 65_536];
pub const LENGTH: usize = 1280;

/// A filesystem: all places are relative to that one of [`PLACES`].
struct Row {
    kind: &'static CStr,
    place: u64,
    magic: (u16, &'static [u8]),
    uuid: (u16, Uuid),
    label: (u16, Label),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Uuid {
    None,
    Bytes,
    /// FAT's serial number: four bytes, written from the last to the first.
    Serial,
}

#[derive(Clone, Copy)]
enum Label {
    /// Up to so many bytes, filled up with NULs or spaces.
    Bytes(u16),
    /// UTF-16, of which corm knows ASCII.
    Wide,
}

const NONE: (u16, Label) = (0, Label::Bytes(0));

/// FAT has its name in two places, and corm reads that in the boot sector, which lies before the
/// magic number: the other is a file in the root directory.
const fn fat(at: u16, magic: &'static [u8]) -> Row {
    Row {
        kind: c"vfat",
        place: 0,
        magic: (at, magic),
        uuid: (at - 15, Uuid::Serial),
        label: (at - 11, Label::Bytes(11)),
    }
}

/// What mkfs.vfat(8) and Windows write where there is no name.
const NO_NAME: &[u8] = b"NO NAME";

static ROWS: [Row; 9] = [
    Row {
        kind: c"ext4",
        place: 0,
        magic: (1080, b"\x53\xef"),
        uuid: (1128, Uuid::Bytes),
        label: (1144, Label::Bytes(16)),
    },
    Row { kind: c"squashfs", place: 0, magic: (0, b"hsqs"), uuid: (0, Uuid::None), label: NONE },
    Row {
        kind: c"erofs",
        place: 0,
        magic: (1024, b"\xe2\xe1\xf5\xe0"),
        uuid: (1072, Uuid::Bytes),
        label: (1088, Label::Bytes(16)),
    },
    Row {
        kind: c"f2fs",
        place: 0,
        magic: (1024, b"\x10\x20\xf5\xf2"),
        uuid: (1132, Uuid::Bytes),
        label: (1148, Label::Wide),
    },
    Row {
        kind: c"xfs",
        place: 0,
        magic: (0, b"XFSB"),
        uuid: (32, Uuid::Bytes),
        label: (108, Label::Bytes(12)),
    },
    fat(82, b"FAT32   "),
    fat(54, b"FAT16   "),
    fat(54, b"FAT12   "),
    Row {
        kind: c"btrfs",
        place: 65_536,
        magic: (64, b"_BHRfS_M"),
        uuid: (32, Uuid::Bytes),
        label: (299, Label::Bytes(256)),
    },
];

/// A filesystem that was found in some bytes.
#[derive(Clone, Copy)]
pub struct Superblock<'b> {
    row: &'static Row,
    bytes: &'b [u8],
}

/// The filesystem whose superblock is among the bytes at this place of a device.
pub fn look(bytes: &[u8], place: u64) -> Option<Superblock<'_>> {
    let has = |(at, magic): (u16, &[u8])| from(bytes, at.into()).starts_with(magic);
    let row = ROWS.iter().find(|row| row.place == place && has(row.magic))?;
    Some(Superblock { row, bytes })
}

fn from(bytes: &[u8], at: usize) -> &[u8] {
    bytes.get(at..).unwrap_or(&[])
}

impl Superblock<'_> {
    /// As in /proc/filesystems. ext4 stands for ext2 and ext3 too.
    pub fn kind(&self) -> &'static CStr {
        self.row.kind
    }

    pub fn has_uuid(&self, wanted: &[u8]) -> bool {
        let (at, form) = self.row.uuid;
        let bytes = from(self.bytes, at.into());
        match form {
            Uuid::None => false,
            Uuid::Bytes => bytes.first_chunk::<16>().is_some_and(|uuid| is_hex(wanted, &mut uuid.iter())),
            Uuid::Serial => {
                bytes.first_chunk::<4>().is_some_and(|uuid| is_hex(wanted, &mut uuid.iter().rev()))
            }
        }
    }

    pub fn has_label(&self, wanted: &[u8]) -> bool {
        let (at, form) = self.row.label;
        let bytes = from(self.bytes, at.into());
        match form {
            Label::Bytes(most) => {
                let field = bytes.get(..most.into()).unwrap_or(bytes);
                let label = field.split(|byte| *byte == 0).next().unwrap_or(field).trim_ascii_end();
                let is_none = wanted.is_empty() || self.row.uuid.1 == Uuid::Serial && wanted == NO_NAME;
                label == wanted && !is_none
            }
            Label::Wide => {
                let end = [0u8].iter();
                let mut units = bytes.iter();
                let mut is = |byte: &u8| units.next() == Some(byte) && units.next() == Some(&0);
                !wanted.is_empty() && wanted.is_ascii() && wanted.iter().chain(end).all(&mut is)
            }
        }
    }
}

/// Are these bytes what the hexadecimal digits say? Dashes among them are for the eye.
fn is_hex(wanted: &[u8], bytes: &mut dyn Iterator<Item = &u8>) -> bool {
    let mut digits = wanted.iter().filter(|digit| **digit != b'-');
    let mut is =
        |half: u8| digits.next().and_then(|digit| char::from(*digit).to_digit(16)) == Some(half.into());
    for byte in bytes {
        if !is(byte >> 4) || !is(byte & 15) {
            return false;
        }
    }
    digits.next().is_none()
}

/// Bytes of a disk's beginning in which its partition table shows itself.
pub const HEAD: usize = 4096 + 92;

/// The kind of the partition in an MBR that stands for a whole disk with a GPT.
const PROTECTIVE: u8 = 0xee;

/// The beginning of a disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Table {
    /// Where the partition's entry is.
    Gpt(u64),
    /// The disk's signature.
    Mbr([u8; 4]),
}

/// How the disk that begins like this numbers its partitions: where it says what partition
/// `number`, from 1, is called.
///
/// As the kernel (block/partitions/efi.c), corm believes a GPT only behind an MBR that protects
/// it: on a disk that was given an MBR later, the rest of an old GPT may still be there. Its
/// checksums are the kernel's to look at, which made the partitions.
pub fn table(head: &[u8], number: u32) -> Option<Table> {
    if !from(head, 510).starts_with(b"\x55\xaa") {
        return None;
    }
    if !from(head, 446).chunks(16).take(4).any(|entry| entry.get(4) == Some(&PROTECTIVE)) {
        let signature = *from(head, 440).first_chunk::<4>()?;
        return (signature != [0; 4]).then_some(Table::Mbr(signature));
    }
    // Its header is in the second sector.
    for sector in [512usize, 4096] {
        let header = from(head, sector);
        if !header.starts_with(b"EFI PART") {
            continue;
        }
        let word = |at| from(header, at).first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes));
        let first = from(header, 72).first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes))?;
        let (count, size) = (word(80)?, word(84)?);
        let index = number.checked_sub(1).filter(|index| *index < count && size >= 128)?;
        let before = u64::from(index).checked_mul(size.into())?;
        let place = first.checked_mul(sector as u64)?.checked_add(before)?;
        return Some(Table::Gpt(place)).filter(|_| place < 1 << 62);
    }
    None
}

/// Whether the entry of a GPT has this PARTUUID.
pub fn gpt_has(entry: &[u8], wanted: &[u8]) -> bool {
    let Some([a, b, c, d, e, f, g, h, rest @ ..]) = from(entry, 16).first_chunk::<16>() else { return false };
    // The first three numbers in it are little-endian.
    is_hex(wanted, &mut [d, c, b, a, f, e, h, g].into_iter().chain(rest))
}

/// Whether the partition of an MBR has this PARTUUID: "5f1e9a3b-01".
pub fn mbr_has(signature: [u8; 4], number: u32, wanted: &[u8]) -> bool {
    is_hex(wanted, &mut signature.iter().rev().chain(&[number as u8]))
}
