//! Running other programs, with errors a person can act on.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::process::{Command, Output, Stdio};

/// The command as one would type it.
pub fn shown(command: &Command) -> String {
    let word = |word: &OsStr| {
        let word = word.to_string_lossy();
        if word.is_empty() || word.contains([' ', '"', '$', ';', '(', '*']) {
            format!("'{word}'")
        } else {
            word.into_owned()
        }
    };
    let mut text = word(command.get_program());
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&word(argument));
    }
    text
}

/// Runs it on our own terminal; its failure is ours. Its stdout becomes stderr:
/// ours belongs to what the user asked for.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .with_context(|| format!("could not run `{}`", shown(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}", shown(command));
    }
    Ok(())
}

/// Runs it unseen and gives back its stdout; its stderr appears only in the error.
pub fn read(command: &mut Command) -> Result<String> {
    let output = attempt(command)?;
    if !output.status.success() {
        bail!(
            "{}\n(`{}`, {})",
            String::from_utf8_lossy(&output.stderr).trim_end(),
            shown(command),
            output.status
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs it unseen, whatever becomes of it.
pub fn attempt(command: &mut Command) -> Result<Output> {
    command.stdin(Stdio::null()).output().with_context(|| format!("could not run `{}`", shown(command)))
}
