//! Debian's sandboxes and container runtimes, told to do the same.

use anyhow::{Context, Result};
use corm_qemu::command;
use corm_qemu::host::{self, Tool};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

const fn peer(program: &'static str, package: &'static str) -> Tool {
    Tool { program, package, why: "is compared with" }
}

const BWRAP: Tool = peer("bwrap", "bubblewrap");
const CRUN: Tool = peer("crun", "crun");
const RUNC: Tool = peer("runc", "runc");
const NSPAWN: Tool = peer("systemd-nspawn", "systemd-container");

/// Each with the command that runs `program` in `root`, or why there is none.
pub fn all(place: &Path, root: &Path, program: &str) -> Vec<(&'static str, Result<Command>)> {
    let have = |tool: Tool| host::require(&[tool]);
    vec![
        ("bwrap", have(BWRAP).map(|()| bwrap(root, program))),
        ("crun", have(CRUN).and_then(|()| oci(CRUN.program, place, root, program))),
        ("runc", have(RUNC).and_then(|()| oci(RUNC.program, place, root, program))),
        ("systemd-nspawn", have(NSPAWN).map(|()| nspawn(root, program))),
    ]
}

fn bwrap(root: &Path, program: &str) -> Command {
    let mut command = Command::new(BWRAP.program);
    command.args(["--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--ro-bind"]);
    command.arg(root).args(["/", "--proc", "/proc", "--dev", "/dev", "--", program]);
    command
}

/// A bundle with the runtime's own `spec`: its mounts, masks, capabilities and
/// rlimit; no seccomp filter is in it.
fn oci(runtime: &str, place: &Path, root: &Path, program: &str) -> Result<Command> {
    let bundle = tempfile::tempdir_in(place).context("could not make a bundle")?.keep();
    command::read(Command::new(runtime).arg("spec").current_dir(&bundle))?;
    let file = bundle.join("config.json");
    let mut spec: Value = serde_json::from_slice(&std::fs::read(&file)?).context("its spec is no JSON")?;
    spec["process"]["terminal"] = json!(false);
    spec["process"]["args"] = json!([program]);
    spec["root"] = json!({ "path": root, "readonly": true });
    std::fs::write(&file, spec.to_string()).context("could not write a bundle")?;
    let mut command = Command::new(runtime);
    command.arg("--root").arg(place.join(format!("{runtime}-state")));
    command.args(["run", "--bundle"]).arg(&bundle).arg("corm-bench");
    Ok(command)
}

fn nspawn(root: &Path, program: &str) -> Command {
    let mut command = Command::new(NSPAWN.program);
    command.args([
        "--quiet",
        "--register=no",
        "--keep-unit",
        "--read-only",
        "--private-network",
        "--directory",
    ]);
    command.arg(root).args(["--", program]);
    command
}
