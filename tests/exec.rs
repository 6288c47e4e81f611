//! `cargo xtask exec` as a script sees it: three streams and a status.

use anyhow::{Context, Result};
use corm_tests::*;
use std::io::Write;
use std::process::{Command, Output, Stdio};

/// The command in a fresh machine, with this as its stdin.
fn exec(options: &[&str], script: &str, stdin: &[u8]) -> Result<Output> {
    let mut child = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--package", "xtask", "--", "exec", "--timeout", "300s", "--board"])
        .arg(&board().name)
        .args(options)
        .args(["--", "sh", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    child.stdin.take().context("it has a stdin")?.write_all(stdin)?;
    Ok(child.wait_with_output()?)
}

/// Every byte, the end of stdin, and a signal that ends the command itself: which, as process 1 of
/// its namespace, it would not get.
#[test]
fn a_command_has_its_own_streams_and_its_status_is_ours() -> Result<()> {
    let bytes: Vec<u8> = (0..=255).collect();
    let script =
        "cat; echo to stderr >&2; mkdir /new 2>/dev/null || echo walls >&2; kill -SEGV $$; echo alive";
    let walled = exec(&[], script, &bytes)?;
    let said = String::from_utf8_lossy(&walled.stderr).into_owned();
    assert_eq!(walled.stdout, bytes, "{said}");
    assert!(said.ends_with("to stderr\nwalls\n"), "{said}");
    assert_eq!(walled.status.code(), Some(128 + 11), "{said}");

    // The same on every board, and a machine more.
    if board().name != corm_qemu::board::DEFAULT {
        return Ok(());
    }
    let privileged = exec(&["--privileged"], "grep CapEff /proc/self/status; exit 42", b"")?;
    let said = String::from_utf8_lossy(&privileged.stderr).into_owned();
    assert!(!privileged.stdout.is_empty() && !privileged.stdout.ends_with(b"\t0000000000000000\n"), "{said}");
    assert_eq!(privileged.status.code(), Some(42), "{said}");
    Ok(())
}
