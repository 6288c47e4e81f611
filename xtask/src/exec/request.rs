//! What is asked of the machine, as an image with a config.

use anyhow::{Result, bail};
use corm_qemu::{Board, Image};
use std::ffi::OsString;
use std::fmt::Write;
use std::path::PathBuf;

/// How the command's stdio gets out of the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stdio {
    Ports,
    /// `terminal`: for a person, with job control and a size.
    Console {
        terminal: bool,
    },
}

pub struct Request<'a> {
    pub command: &'a [String],
    pub overlays: &'a [PathBuf],
    pub privileged: bool,
    pub modules: Vec<String>,
    pub stdio: Stdio,
}

/// The ports in the order of QEMU's numbers: /dev/vport0p1 and on.
pub const PORTS: [&str; 4] = ["corm.stdin", "corm.stdout", "corm.stderr", "corm.report"];

/// Around the command's output on a console. No program says this by chance.
pub const BEGIN: &str = "\x1e\x02corm exec begins\x03\x1e";
pub const END: &str = "\x1e\x02corm exec ends ";

/// The arguments as text; a config is UTF-8.
pub fn words(command: &[OsString]) -> Result<Vec<String>> {
    let word = |word: &OsString| match word.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => bail!("{word:?} is not UTF-8, which a config must be"),
    };
    command.iter().map(word).collect()
}

impl Request<'_> {
    pub fn image(&self, board: &Board) -> Image {
        let mut image = Image::new(board)
            .busybox()
            .file(
                "/etc/passwd",
                "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
                0o644,
            )
            .file("/etc/group", "root:x:0:\nnogroup:x:65534:\n", 0o644)
            .config(&self.config());
        for overlay in self.overlays {
            image = image.overlay(overlay);
        }
        image
    }

    fn config(&self) -> String {
        let mut text = String::from("[system]\n");
        // Writing to a String cannot fail.
        let _ = writeln!(text, "modules = {}", array(&self.modules));
        let _ = writeln!(text, "exit-with = \"cmd\"");
        if self.stdio == Stdio::Ports {
            let _ = writeln!(text, "exit-report = \"/dev/vport0p4\"");
        }
        let _ = writeln!(text, "\n[workload.cmd]\ncommand = {}", array(&self.command()));
        text.push_str("root = \"/\"\nrestart = \"never\"\n");
        if self.privileged {
            text.push_str("user = 0\nprivileged = true\n");
        } else if self.stdio == Stdio::Ports {
            // The kernel does not let process 1 of a namespace end by a signal, as it would here.
            // (A console has a shell around the command.)
            text.push_str("init = true\n");
        }
        text.push_str(match self.stdio {
            Stdio::Ports => {
                "stdio = { stdin = \"/dev/vport0p1\", stdout = \"/dev/vport0p2\", stderr = \"/dev/vport0p3\" }\n"
            }
            Stdio::Console { .. } => "stdio = \"console\"\n",
        });
        text
    }

    fn command(&self) -> Vec<String> {
        let mut command = self.command.to_vec();
        if let Some(program) = command.first_mut() {
            *program = self.find(program);
        }
        let Stdio::Console { terminal } = self.stdio else { return command };
        let set_up = match (terminal, crate::terminal::size()) {
            (true, Some((rows, columns))) => format!("stty rows {rows} cols {columns}; "),
            (true, None) => String::new(),
            // Bytes as they are; and nobody will type.
            (false, _) => "stty raw; exec </dev/null; ".to_owned(),
        };
        let script = format!(
            "{set_up}printf '{}'; \"$@\"; s=$?; printf '{}%d\\n' $s; exit $s",
            octal(BEGIN),
            octal(END)
        );
        let mut wrapped = vec!["/bin/sh".to_owned(), "-c".to_owned(), script, "sh".to_owned()];
        wrapped.append(&mut command);
        wrapped
    }

    /// A name without a slash, as a shell with the guest's PATH would find it.
    fn find(&self, program: &str) -> String {
        if program.contains('/') {
            return program.to_owned();
        }
        let places = ["bin", "usr/bin", "sbin", "usr/sbin", "usr/local/bin"];
        let in_overlay =
            |place: &&str| self.overlays.iter().any(|overlay| overlay.join(place).join(program).exists());
        let place = places.iter().find(|place| in_overlay(place)).unwrap_or(&"bin");
        format!("/{place}/{program}")
    }
}

/// For `printf`: control characters, spelled.
fn octal(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { format!("\\{:03o}", c as u32) } else { c.to_string() }).collect()
}

/// A TOML array of basic strings.
fn array(words: &[String]) -> String {
    format!("[{}]", words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(", "))
}

fn quoted(word: &str) -> String {
    let mut text = String::from("\"");
    for c in word.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            c if c.is_control() => {
                let _ = write!(text, "\\u{:04X}", c as u32);
            }
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(command: &[String], stdio: Stdio) -> String {
        Request { command, overlays: &[], privileged: false, modules: vec!["virtio_pci".to_owned()], stdio }
            .config()
    }

    #[test]
    fn every_argument_survives_the_config() {
        let odd = ["a b", "\"quoted\"", "back\\slash", "new\nline", "tab\t", "é", "", "\u{1}", "'"]
            .map(String::from);
        let text = request(&[&["cat".to_owned()][..], &odd].concat(), Stdio::Ports);
        let table: toml::Table = toml::from_str(&text).unwrap();
        let command = table["workload"]["cmd"]["command"].as_array().unwrap();
        let read: Vec<&str> = command.iter().map(|word| word.as_str().unwrap()).collect();
        assert_eq!(read[0], "/bin/cat");
        assert_eq!(read[1..], odd);
    }

    #[test]
    fn ports_are_for_programs_and_the_console_for_people() {
        let ports = request(&["true".to_owned()], Stdio::Ports);
        assert!(
            ports.contains("exit-report = \"/dev/vport0p4\"") && ports.contains("stdout = \"/dev/vport0p2\"")
        );
        let console = request(&["true".to_owned()], Stdio::Console { terminal: false });
        assert!(console.contains("stdio = \"console\"") && !console.contains("vport"), "{console}");
    }

    #[test]
    fn a_name_is_found_in_an_overlay_first() {
        let overlay = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(overlay.path().join("usr/bin")).unwrap();
        std::fs::write(overlay.path().join("usr/bin/probe"), "").unwrap();
        let overlays = [overlay.path().to_owned()];
        let request = Request {
            command: &[],
            overlays: &overlays,
            privileged: false,
            modules: vec![],
            stdio: Stdio::Ports,
        };
        assert_eq!(request.find("probe"), "/usr/bin/probe");
        assert_eq!(request.find("ls"), "/bin/ls");
        assert_eq!(request.find("/opt/x"), "/opt/x");
    }
}
