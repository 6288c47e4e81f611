//! The table of commands, and what is made of it.

use super::{Streams, Words, check, exec, exit, inspect, logs, notify, power, run, version, workloads};
use crate::pack::Packed;
use crate::text::{Left, Sink};
use crate::{packed, put};

pub(super) struct Command {
    pub name: &'static str,
    /// Its arguments, as in a usage line, after a space.
    pub arguments: Packed,
    /// Its options, for [`Command::read`]; the others read their words themselves.
    pub options: &'static str,
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
        options: "",
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
        options: "",
        summary: packed!("be PID 1 of a container: run one program, pass signals on, reap"),
        more: packed!("`corm init --help` explains the options.\n"),
        // It needs more of the process than words and streams: `crate::main` runs it.
        run: Command::misplaced,
    },
    Command {
        name: "notify",
        arguments: packed!(" NAME=VALUE..."),
        options: "",
        summary: packed!("tell the supervisor: READY=1, WATCHDOG=1, STOPPING=1"),
        more: packed!("For a workload with `ready = \"notify\"` or a `watchdog`, as sd_notify(3) does it.\n"),
        run: notify::run,
    },
    Command {
        name: "run",
        arguments: run::ARGUMENTS,
        options: "",
        summary: packed!("run one workload in the foreground, as root or as an ordinary user"),
        more: run::MORE,
        run: run::run,
    },
    Command {
        name: "ps",
        arguments: packed!(" [--json] [NAME...]"),
        options: "--json",
        summary: packed!("list the workloads and how they are"),
        more: packed!("--json  for programs; times are milliseconds since boot\n"),
        run: workloads::ps,
    },
    Command {
        name: "start",
        arguments: packed!(" [--no-wait] NAME..."),
        options: "--no-wait",
        summary: packed!("start workloads, and wait until they run"),
        more: packed!(
            "--no-wait  do not wait\n\
            Exit status: 0 if all of them run, or have run and ended well; 1 if not;\n\
            66 if there is no such workload, 77 if you may not, 69 if corm is not there.\n"
        ),
        run: workloads::order,
    },
    Command {
        name: "stop",
        arguments: packed!(" [--no-wait] NAME..."),
        options: "--no-wait",
        summary: packed!("stop workloads, and wait until they have ended"),
        more: packed!("--no-wait  do not wait\nExit status: as `corm start`.\n"),
        run: workloads::order,
    },
    Command {
        name: "restart",
        arguments: packed!(" [--no-wait] NAME..."),
        options: "--no-wait",
        summary: packed!("stop workloads if they run, start them, wait until they run"),
        more: packed!("--no-wait  do not wait\nExit status: as `corm start`.\n"),
        run: workloads::order,
    },
    Command {
        name: "kill",
        arguments: packed!(" [-s SIGNAL] NAME..."),
        options: "-s,--signal=",
        summary: packed!("send a signal to the main process of workloads"),
        more: packed!("-s, --signal SIGNAL  such as HUP, SIGUSR1, RTMIN+3 or 9 [TERM]\n"),
        run: workloads::order,
    },
    Command {
        name: "pause",
        arguments: packed!(" NAME..."),
        options: "",
        summary: packed!("stop workloads where they are, with all their processes"),
        more: packed!("They go on with `corm resume`, or when they are to end.\n"),
        run: workloads::order,
    },
    Command {
        name: "resume",
        arguments: packed!(" NAME..."),
        options: "",
        summary: packed!("let paused workloads go on"),
        more: Packed::EMPTY,
        run: workloads::order,
    },
    Command {
        name: "logs",
        arguments: packed!(" [-f] [-n COUNT] [--json | --raw] [NAME...]"),
        options: "-f,--follow -n,--lines= --json --raw",
        summary: packed!("show the last lines of workloads, also of dead ones"),
        more: packed!(
            "Without NAME those of all workloads and of corm itself, merged by their times.\n\n\
            -f, --follow       go on with what comes\n\
            -n, --lines COUNT  only the last COUNT of them\n\
            --json             an object each line\n\
            --raw              the bytes as they were written, and nothing else\n"
        ),
        run: logs::run,
    },
    Command {
        name: "exec",
        arguments: packed!(" [-i] [-t] NAME [--] COMMAND [ARGUMENT...]"),
        options: "-i,--interactive -t,--tty",
        summary: packed!("run another program inside a workload, behind the same walls"),
        more: packed!(
            "It has the workload's namespaces, cgroup, user, rights and environment, and no more.\n\n\
            -i, --interactive  with this standard input; /dev/null if not\n\
            -t, --tty          with a terminal of its own, as large as this one\n\n\
            Exit status: the program's; 128+N if signal N ended it; 127 if it is not there;\n\
            126 if it or its walls could not be had.\n"
        ),
        run: exec::run,
    },
    Command {
        name: "inspect",
        arguments: packed!(" [--json] NAME"),
        options: "--json",
        summary: packed!("show a workload as the kernel has it, next to its config"),
        more: packed!(
            "Its namespaces, ids, rights, limits with what it uses of them, and mounts. What differs\n\
            from the config is marked with a `!`.\n\n\
            --json  for programs\n\n\
            Exit status: 0 if all is as the config asks for, 65 if not; 1 if it is not running,\n\
            66 if there is no such workload, 77 if you may not, 69 if corm is not there.\n"
        ),
        run: inspect::run,
    },
    Command {
        name: "stats",
        arguments: packed!(" [--json] [NAME...]"),
        options: "--json",
        summary: packed!("show what workloads use: processor, memory, processes"),
        more: packed!("--json  for programs; bytes and microseconds\n"),
        run: workloads::stats,
    },
    Command {
        name: "events",
        arguments: packed!(" [-f] [-n COUNT] [--json]"),
        options: "-f,--follow -n,--lines= --json",
        summary: packed!("show what corm has done: starts, stops, failures"),
        more: packed!(
            "-f, --follow       go on with what comes\n\
            -n, --lines COUNT  only the last COUNT of them\n\
            --json             an object each line\n"
        ),
        run: logs::run,
    },
    Command {
        name: "poweroff",
        arguments: Packed::EMPTY,
        options: "",
        summary: packed!("stop everything in order and switch the machine off"),
        more: Packed::EMPTY,
        run: power::run,
    },
    Command {
        name: "reboot",
        arguments: Packed::EMPTY,
        options: "",
        summary: packed!("stop everything in order and start again"),
        more: Packed::EMPTY,
        run: power::run,
    },
    Command {
        name: "halt",
        arguments: Packed::EMPTY,
        options: "",
        summary: packed!("stop everything in order and stay there"),
        more: Packed::EMPTY,
        run: power::run,
    },
    Command {
        name: "version",
        arguments: packed!(" [-v]"),
        options: "",
        summary: packed!("say which corm this is"),
        more: packed!("-v: and for which machine it was built, which kernel it runs on, and its limits.\n"),
        run: version::run,
    },
    Command {
        name: "help",
        arguments: packed!(" [COMMAND]"),
        options: "",
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

    /// Something is missing.
    pub fn usage_error(&self, streams: &mut Streams) -> u8 {
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
