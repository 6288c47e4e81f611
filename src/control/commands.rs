//! The table of commands, and what is made of it.

use super::{Streams, Words, check, exit, notify, power, run, version};
use crate::pack::Packed;
use crate::text::{Left, Sink};
use crate::{packed, put};

pub(super) struct Command {
    pub name: &'static str,
    /// Its arguments, as in a usage line, after a space.
    pub arguments: Packed,
    /// One line for the overview.
    pub summary: Packed,
    /// What else there is to know.
    pub more: Packed,
    pub run: fn(&Command, Words, &mut Streams) -> u8,
}

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "check",
        arguments: packed!(" [FILE...]"),
        summary: packed!("read a config as PID 1 would, and say what is wrong with it"),
        more: packed!(
            "FILE is a config, read together with its drop-ins (those of name.toml are\n\
            name.d/*.toml), or a directory of drop-ins. Several files are one config.\n\
            Without FILE it is /etc/corm.toml.\n\
            Exit status: 0 if it is fine, 65 if not, 66 if it cannot be read.\n"
        ),
        run: check::run,
    },
    Command {
        name: "init",
        arguments: packed!(" [OPTION...] [--] PROGRAM [ARGUMENT...]"),
        summary: packed!("be PID 1 of a container: run one program, pass signals on, reap"),
        more: packed!("`corm init --help` explains the options.\n"),
        // It needs more of the process than words and streams: `crate::main` runs it.
        run: Command::misplaced,
    },
    Command {
        name: "notify",
        arguments: packed!(" NAME=VALUE..."),
        summary: packed!("tell the supervisor: READY=1, WATCHDOG=1, STOPPING=1"),
        more: packed!("For a workload with `ready = \"notify\"` or a `watchdog`, as sd_notify(3) does it.\n"),
        run: notify::run,
    },
    Command {
        name: "run",
        arguments: run::ARGUMENTS,
        summary: packed!("run one workload in the foreground, as root or as an ordinary user"),
        more: run::MORE,
        run: run::run,
    },
    Command {
        name: "poweroff",
        arguments: Packed::EMPTY,
        summary: packed!("stop everything in order and switch the machine off"),
        more: Packed::EMPTY,
        run: power::run,
    },
    Command {
        name: "reboot",
        arguments: Packed::EMPTY,
        summary: packed!("stop everything in order and start again"),
        more: Packed::EMPTY,
        run: power::run,
    },
    Command {
        name: "halt",
        arguments: Packed::EMPTY,
        summary: packed!("stop everything in order and stay there"),
        more: Packed::EMPTY,
        run: power::run,
    },
    Command {
        name: "version",
        arguments: packed!(" [-v]"),
        summary: packed!("say which corm this is"),
        more: packed!("-v: and for which machine it was built, which kernel it runs on, and its limits.\n"),
        run: version::run,
    },
    Command {
        name: "help",
        arguments: packed!(" [COMMAND]"),
        summary: packed!("list the commands, or explain one"),
        more: Packed::EMPTY,
        run: help,
    },
];

/// A command by its name, or by the option that people try first.
pub(super) fn find(name: &[u8]) -> Option<&'static Command> {
    let name = match name {
        b"--help" | b"-h" => b"help".as_slice(),
        b"--version" | b"-V" => b"version",
        _ => name,
    };
    COMMANDS.iter().find(|command| command.name.as_bytes() == name)
}

pub(super) fn overview(out: &mut dyn Sink) {
    put!(*out, "usage: corm COMMAND [ARGUMENT...]\n\n");
    for command in COMMANDS {
        put!(*out, "  ", Left(command.name, 10), command.summary, "\n");
    }
    put!(*out, "\nAs PID 1 without arguments corm boots the machine with /etc/corm.toml.\n");
}

impl Command {
    /// An argument that makes no sense.
    pub fn misused(&self, word: &[u8], streams: &mut Streams) -> u8 {
        put!(*streams.err, "corm ", self.name, ": unexpected argument `", word, "`\n");
        self.usage(streams.err);
        exit::USAGE
    }

    fn misplaced(&self, _: Words, streams: &mut Streams) -> u8 {
        self.usage(streams.err);
        exit::USAGE
    }

    pub fn explain(&self, out: &mut dyn Sink) {
        self.usage(out);
        put!(*out, "\n", self.summary, ".\n", self.more);
    }

    pub fn usage(&self, out: &mut dyn Sink) {
        put!(*out, "usage: corm ", self.name, self.arguments, "\n");
    }
}

fn help(this: &Command, words: Words, streams: &mut Streams) -> u8 {
    let Some(name) = words.next() else {
        overview(streams.out);
        return exit::OK;
    };
    if let Some(word) = words.next() {
        return this.misused(word.to_bytes(), streams);
    }
    let Some(command) = find(name.to_bytes()) else { return super::unknown(name.to_bytes(), streams) };
    command.explain(streams.out);
    exit::OK
}
