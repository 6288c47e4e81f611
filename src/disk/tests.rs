use super::superblock::{self, HEAD, LENGTH, PLACES, Table, gpt_has, look, mbr_has, table};
use std::vec;
use std::vec::Vec;

fn put(bytes: &mut [u8], at: usize, what: &[u8]) {
    bytes[at..at + what.len()].copy_from_slice(what);
}

const UUID: [u8; 16] = *b"\x0b\xad\xca\xfe\x55\x55\x46\x66\x87\x77\x01\x23\x45\x67\x89\xad";
const SAID: &[u8] = b"0badcafe-5555-4666-8777-0123456789AD";

/// What mkfs writes, as far as it says who it is: kind, where it is looked for, and its bytes.
fn filesystems() -> Vec<(&'static str, u64, Vec<u8>)> {
    let make = |magic: (usize, &[u8]), uuid: usize, label: usize| {
        let mut bytes = vec![0; LENGTH];
        put(&mut bytes, magic.0, magic.1);
        put(&mut bytes, uuid, &UUID);
        put(&mut bytes, label, b"data");
        bytes
    };
    let mut f2fs = make((1024, &[0x10, 0x20, 0xf5, 0xf2]), 1132, 1200);
    put(&mut f2fs, 1148, b"d\0a\0t\0a\0\0\0");
    vec![
        ("ext4", 0, make((1080, &[0x53, 0xef]), 1128, 1144)),
        ("erofs", 0, make((1024, &[0xe2, 0xe1, 0xf5, 0xe0]), 1072, 1088)),
        ("f2fs", 0, f2fs),
        ("xfs", 0, make((0, b"XFSB"), 32, 108)),
        ("btrfs", 65_536, make((64, b"_BHRfS_M"), 32, 299)),
    ]
}

#[test]
fn a_filesystem_is_known_by_its_label_and_its_uuid() {
    for (kind, place, bytes) in filesystems() {
        assert!(PLACES.contains(&place));
        let found = look(&bytes, place).unwrap();
        assert_eq!(found.kind().to_str(), Ok(kind));
        assert!(found.has_label(b"data") && found.has_uuid(SAID), "{kind}");
        for other in [&b"dat"[..], b"data ", b"data2", b"Data", b"", b"\0"] {
            assert!(!found.has_label(other), "{kind}: {other:?}");
        }
        for other in [&SAID[..35], &SAID[1..], b"", b"-", b"0badcafe-5555-4666-8777-0123456789ad0", b"xyz"] {
            assert!(!found.has_uuid(other), "{kind}: {other:?}");
        }
        assert!(look(&bytes, 65_536 - place).is_none(), "{kind}");
    }
}

#[test]
fn fat_has_a_serial_number_and_a_label_with_blanks() {
    for (magic, at) in [(&b"FAT32   "[..], 82), (b"FAT16   ", 54), (b"FAT12   ", 54)] {
        let mut bytes = vec![0; LENGTH];
        put(&mut bytes, at, magic);
        put(&mut bytes, at - 11, b"STICK      ");
        put(&mut bytes, at - 15, &0x1234_abcd_u32.to_le_bytes());
        let found = look(&bytes, 0).unwrap();
        assert_eq!(found.kind(), c"vfat");
        assert!(found.has_label(b"STICK") && !found.has_label(b"STICK      "));
        assert!(found.has_uuid(b"1234-ABCD") && !found.has_uuid(b"abcd-1234"));
        put(&mut bytes, at - 11, b"NO NAME    ");
        assert!(!look(&bytes, 0).unwrap().has_label(b"NO NAME"), "it has none");
    }
}

#[test]
fn squashfs_has_no_name_and_an_empty_label_is_nobodys() {
    let mut bytes = vec![0; LENGTH];
    put(&mut bytes, 0, b"hsqs");
    let found = look(&bytes, 0).unwrap();
    assert_eq!(found.kind(), c"squashfs");
    assert!(!found.has_label(b"") && !found.has_uuid(b"") && !found.has_uuid(&[b'0'; 32]));
    let mut nameless = vec![0; LENGTH];
    put(&mut nameless, 1080, &[0x53, 0xef]);
    assert!(!look(&nameless, 0).unwrap().has_label(b""));
}

/// A stick may be shorter than what is read of it, and break off anywhere.
#[test]
fn what_is_cut_short_is_no_more_than_it_says() {
    for (kind, place, bytes) in filesystems() {
        for length in 0..bytes.len() {
            if let Some(found) = look(&bytes[..length], place) {
                assert_eq!(found.kind().to_str(), Ok(kind));
                // All of the name must be there, whatever is missing behind it.
                let _ = found.has_label(b"data");
                assert!(!found.has_uuid(SAID) || length >= 32 + 16, "{kind} {length}");
            }
        }
    }
    for length in 0..100 {
        assert_eq!(table(&vec![0; length], 1), None);
        assert!(!gpt_has(&vec![0; length.min(31)], SAID));
    }
}

fn gpt(sector: usize, first: u64, count: u32, size: u32) -> Vec<u8> {
    let mut head = vec![0; HEAD];
    // The second of its four entries: a hybrid MBR has it anywhere.
    put(&mut head, 446 + 16 + 4, &[0xee]);
    put(&mut head, 510, &[0x55, 0xaa]);
    put(&mut head, sector, b"EFI PART");
    put(&mut head, sector + 72, &first.to_le_bytes());
    put(&mut head, sector + 80, &count.to_le_bytes());
    put(&mut head, sector + 84, &size.to_le_bytes());
    head
}

#[test]
fn a_partition_table_says_where_an_entry_is_and_is_not_believed_beyond_reason() {
    assert_eq!(table(&gpt(512, 2, 128, 128), 1), Some(Table::Gpt(1024)));
    assert_eq!(table(&gpt(512, 2, 128, 128), 128), Some(Table::Gpt(1024 + 127 * 128)));
    assert_eq!(table(&gpt(4096, 2, 128, 256), 2), Some(Table::Gpt(8192 + 256)));
    for (number, lies) in [
        (0, gpt(512, 2, 128, 128)),
        (129, gpt(512, 2, 128, 128)),
        (1, gpt(512, 2, 128, 0)),
        (1, gpt(512, 2, 128, 64)),
        (1, gpt(512, u64::MAX, 128, 128)),
        (1, gpt(512, u64::MAX / 512, 128, 128)),
        (u32::MAX, gpt(512, 1 << 54, u32::MAX, u32::MAX)),
    ] {
        assert_eq!(table(&lies, number), None, "{number}");
    }
    // Nothing protects it: the disk has an MBR, and this is what was there before.
    let mut stale = gpt(512, 2, 128, 128);
    put(&mut stale, 446 + 16 + 4, &[0x83]);
    assert_eq!(table(&stale, 1), None);
    put(&mut stale, 440, &[1, 2, 3, 4]);
    assert_eq!(table(&stale, 1), Some(Table::Mbr([1, 2, 3, 4])));
    let mut unmarked = gpt(512, 2, 128, 128);
    put(&mut unmarked, 510, &[0, 0]);
    assert_eq!(table(&unmarked, 1), None);
    // It protects a table that is not there.
    let mut lost = gpt(512, 2, 128, 128);
    put(&mut lost, 512, &[0]);
    put(&mut lost, 440, &[1, 2, 3, 4]);
    assert_eq!(table(&lost, 1), None);

    let mut entry = [0; 32];
    put(&mut entry, 16, b"\xfe\xca\xad\x0b\x55\x55\x66\x46\x87\x77\x01\x23\x45\x67\x89\xad");
    assert!(gpt_has(&entry, SAID) && !gpt_has(&entry, &SAID[..34]));

    let mut mbr = vec![0; 512];
    put(&mut mbr, 440, &0x5f1e_9a3b_u32.to_le_bytes());
    assert_eq!(table(&mbr, 1), None, "no mark of a partition table");
    put(&mut mbr, 510, &[0x55, 0xaa]);
    let Some(Table::Mbr(signature)) = table(&mbr, 1) else { panic!() };
    assert!(mbr_has(signature, 1, b"5f1e9a3b-01") && !mbr_has(signature, 2, b"5f1e9a3b-01"));
    // A disk without a signature: all of these would be the same.
    put(&mut mbr, 440, &[0; 4]);
    assert_eq!(table(&mbr, 1), None);
}

#[test]
fn any_bytes_are_looked_at() {
    let mut state = 1u32;
    let mut bytes = vec![0u8; HEAD];
    for round in 0..2000 {
        for byte in &mut bytes {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = (state >> 24) as u8;
        }
        let (_, _, real) = &filesystems()[round % 5];
        for (to, from) in bytes.iter_mut().zip(real).filter(|(_, from)| **from != 0) {
            *to = *from;
        }
        for place in superblock::PLACES {
            if let Some(found) = look(&bytes[..LENGTH], place) {
                let _ = (found.has_label(b"data"), found.has_uuid(SAID));
            }
        }
        let _ = table(&bytes, state);
    }
}
