//! Is the harness itself sound? A shell script stands in for corm and the board
//! (`CORM_BOARD`, else the default) must boot, talk and end as the tests of corm
//! take for granted. When both fail, look here first.

use corm_qemu::machine::Forward;
use corm_qemu::{Board, End, Image, Machine, Options};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

/// What every stand-in does first: mounts, and the board's modules in order.
const START: &str = r#"#!/bin/sh
export PATH=/bin
mount -t devtmpfs dev /dev; mount -t proc proc /proc; mount -t sysfs sys /sys
for m in $(cat /modules); do modprobe $m || echo "no module $m"; done
echo "stand-in: up"
"#;

fn boot(script: &str, options: &Options) -> Machine {
    let board = Board::from_environment().unwrap();
    let modules = board.kernel.modules.join("\n");
    let built = Image::new(&board)
        .busybox()
        .init(format!("{START}{script}"))
        .file("/modules", modules, 0o644)
        .build()
        .unwrap();
    Machine::boot(&built, options).unwrap()
}

#[test]
fn a_machine_says_it_is_up_and_powers_off() {
    let machine = boot("poweroff -f", &Options::default());
    machine.wait_for("stand-in: up").unwrap();
    assert_eq!(machine.wait_end().unwrap(), End::PowerOff, "{}", machine.console());
    assert!(!machine.console().contains("no module"), "{}", machine.console());
}

#[test]
fn a_reboot_ends_the_machine_too_and_is_told_apart() {
    let machine = boot("reboot -f", &Options::default());
    assert_eq!(machine.wait_end().unwrap(), End::Reboot, "{}", machine.console());
}

#[test]
fn when_pid_1_dies_the_kernel_panics_and_the_machine_ends() {
    let machine = boot("exit 1", &Options::default());
    assert_eq!(machine.wait_end().unwrap(), End::Panic, "{}", machine.console());
}

#[test]
fn what_is_typed_reaches_the_guest() {
    let machine = boot("read line; echo got:$line; poweroff -f", &Options::default());
    machine.wait_for("stand-in: up").unwrap();
    machine.send("hello\n").unwrap();
    assert_eq!(machine.wait_for_match("^got:(.*)$").unwrap()[1], "hello");
}

#[test]
fn bytes_go_through_the_ports_unchanged_and_closing_one_is_end_of_file() {
    let ports = ["in", "out", "report"].map(String::from).to_vec();
    let script = "
        until [ -e /dev/vport0p3 ] && [ \"$(cat /sys/class/virtio-ports/vport0p3/name)\" ]; do usleep 1000; done
        cat /dev/vport0p1 > /dev/vport0p2
        echo $? > /dev/vport0p3
        poweroff -f";
    let mut machine = boot(script, &Options { ports, pause_at_end: true, ..Options::default() });
    let all_bytes: Vec<u8> = (0..300_000_u32).map(|n| (n ^ (n >> 8)) as u8).collect();
    let mut stdin = machine.take_port(0).unwrap();
    let mut stdout = machine.take_port(1).unwrap();
    let mut report = machine.take_port(2).unwrap();
    let sent = all_bytes.clone();
    let writer = std::thread::spawn(move || {
        stdin.write_all(&sent).unwrap();
        stdin.shutdown(Shutdown::Write).unwrap();
        stdin
    });
    let mut received = vec![0; all_bytes.len()];
    stdout.read_exact(&mut received).unwrap();
    assert!(received == all_bytes, "the bytes differ");
    assert_eq!(machine.wait_end().unwrap(), End::PowerOff, "{}", machine.console());
    machine.quit();
    let (mut rest, mut status) = (Vec::new(), String::new());
    stdout.read_to_end(&mut rest).unwrap();
    report.read_to_string(&mut status).unwrap();
    assert_eq!((rest.len(), status.as_str()), (0, "0\n"));
    drop(writer.join().unwrap());
}

#[test]
fn the_host_reaches_a_port_of_the_guest() {
    let script = "
        ip link set lo up; ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0
        echo hello > /index.html
        httpd -p 8080 -h /; echo listening; sleep 1000";
    let machine = boot(script, &Options { forwards: vec![Forward::to(8080)], ..Options::default() });
    machine.wait_for("listening").unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", machine.host_port(8080).unwrap())).unwrap();
    stream.write_all(b"GET /index.html HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("hello\n"), "{answer}");
}

#[test]
fn a_drive_is_a_block_device() {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(1 << 20).unwrap();
    std::fs::write(file.path(), [b"on the drive\n".as_slice(), &[0; 1 << 20]].concat()).unwrap();
    let script = "head -n 1 /dev/vda; poweroff -f";
    let machine = boot(script, &Options { drives: vec![file.path().to_owned()], ..Options::default() });
    machine.wait_for("on the drive").unwrap();
}

#[test]
fn a_wrong_option_is_an_error_with_qemus_words() {
    let board = Board::from_environment().unwrap();
    let built = Image::new(&board).init("").build().unwrap();
    let options = Options { extra: vec!["-nonsense".to_owned()], ..Options::default() };
    let error = Machine::boot(&built, &options).err().unwrap().to_string();
    assert!(error.contains("-nonsense"), "{error}");
}
