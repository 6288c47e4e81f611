//! `cargo xtask manual`: manual pages and shell completions.
//!
//! The one table of commands is in the device's binary, which shows it as `corm help`. So what is
//! written here is read from there, and says nothing else. The names of workloads are asked for
//! when somebody types: the scripts call `corm ps`.

use anyhow::{Context, Result, bail, ensure};
use clap::{Arg, ArgAction, Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;
use corm_qemu::{Arch, command, device, directories, say};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Write the manual pages and the completions of bash, zsh and fish
#[derive(Args)]
pub struct Manual {
    /// Where to: share/man/man1 and the shells' own directories are made there
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

impl Manual {
    pub fn run(self) -> Result<ExitCode> {
        let arch = Arch::ALL.into_iter().find(|arch| arch.is_native());
        let corm = device::release(arch.context("corm does not run on this computer")?)?;
        let table = read(&corm)?;
        let pages = self.output.join("share/man/man1");
        directories::make(&pages)?;
        write(&pages.join("corm.1"), &page(&table)?)?;
        for command in table.get_subcommands() {
            let name = format!("corm-{}", command.get_name());
            write(&pages.join(format!("{name}.1")), &page(&command.clone().display_name(name))?)?;
        }
        for (shell, place) in PLACES {
            let place = self.output.join("share").join(place);
            directories::make(place.parent().unwrap_or(&place))?;
            write(&place, completion(&table, shell)?.as_bytes())?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Below /usr/share, and as their package managers have them.
const PLACES: [(Shell, &str); 3] = [
    (Shell::Bash, "bash-completion/completions/corm"),
    (Shell::Zsh, "zsh/site-functions/_corm"),
    (Shell::Fish, "fish/vendor_completions.d/corm.fish"),
];

fn write(file: &Path, content: &[u8]) -> Result<()> {
    std::fs::write(file, content).with_context(|| format!("could not write {}", file.display()))?;
    say::doing("Wrote", file.display());
    Ok(())
}

/// What `corm help` says of all commands.
fn read(corm: &Path) -> Result<Command> {
    let help = |words: &[&str]| command::read(std::process::Command::new(corm).args(words));
    let overview = help(&["help"])?;
    let mut table = named("corm").about("the whole userland of an appliance in one binary");
    let (_, more) = overview.rsplit_once("\n\n").context("corm help has no end")?;
    table = table.long_about(more.trim_end().to_owned()).override_usage("corm COMMAND [ARGUMENT...]");
    for line in overview.lines().filter_map(|line| line.strip_prefix("  ")) {
        let (name, summary) = line.split_once(' ').context("corm help has a command without a summary")?;
        // It has options enough for a help of its own.
        let words = if name == "init" { ["init", "--help"] } else { ["help", name] };
        table = table.subcommand(explained(name, summary.trim(), &help(&words)?)?);
    }
    ensure!(table.has_subcommands(), "corm help lists no commands");
    Ok(table)
}

/// Without the options that clap would add.
fn named(name: &str) -> Command {
    Command::new(name.to_owned())
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .disable_version_flag(true)
}

/// One command, from its help.
fn explained(name: &str, summary: &str, help: &str) -> Result<Command> {
    let (usage, more) = help.split_once("\n\n").with_context(|| format!("corm help {name} is one line"))?;
    let usage = usage.strip_prefix("usage: ").context("a help begins with the usage")?;
    let mut command = named(name).about(summary.to_owned()).override_usage(usage.to_owned());
    let (mut options, mut text) = (Vec::<Opt>::new(), String::new());
    for line in more.lines() {
        if let Some(option) = Opt::read(line) {
            options.push(option);
        } else if let Some(last) = options.last_mut().filter(|_| line.starts_with("    ")) {
            // It goes on under its option.
            last.text.push(' ');
            last.text.push_str(line.trim());
        } else {
            text.push_str(line);
            text.push('\n');
        }
    }
    for option in options {
        command = command.args(option.args());
    }
    if takes_names(usage) {
        command = command.arg(Arg::new(NAME).num_args(0..).help("workloads, as in the config"));
    }
    // Its first sentence is the summary again.
    let text = text.strip_prefix(&format!("{summary}.")).unwrap_or(&text);
    Ok(command.long_about(format!("{summary}.\n\n{}", text.trim())))
}

const NAME: &str = "NAME";

/// Does the command want names of workloads?
fn takes_names(usage: &str) -> bool {
    usage.split(|c: char| !c.is_ascii_alphanumeric() && c != '=').any(|word| word == NAME)
}

/// An option as a help has it: `-n, --lines COUNT  only the last COUNT of them`.
#[derive(Debug, PartialEq, Eq)]
struct Opt {
    names: Vec<String>,
    value: Option<String>,
    text: String,
}

impl Opt {
    fn read(line: &str) -> Option<Opt> {
        let mut rest = line.trim_start();
        let mut names = Vec::new();
        while let Some((word, more)) = rest.split_once(' ').or((!rest.is_empty()).then_some((rest, ""))) {
            let Some(name) = word.strip_prefix('-') else { break };
            names.push(name.trim_start_matches('-').trim_end_matches([',', ':']).to_owned());
            rest = more.trim_start();
        }
        let is_value = |word: &&str| {
            word.contains(|c: char| c.is_ascii_uppercase())
                && !word.contains(|c: char| c.is_ascii_lowercase())
        };
        let value = rest.split(' ').next().filter(is_value).map(str::to_owned);
        let text = rest.strip_prefix(value.as_deref().unwrap_or("")).unwrap_or(rest).trim();
        (!names.is_empty()).then(|| Opt { names, value, text: text.to_owned() })
    }

    /// One, or one for each of two long names.
    fn args(&self) -> Vec<Arg> {
        let short = self.names.iter().find_map(|name| name.chars().next().filter(|_| name.len() == 1));
        let longs: Vec<&String> = self.names.iter().filter(|name| name.len() > 1).collect();
        let finish = |arg: Arg| {
            let arg = arg.help(self.text.clone());
            match &self.value {
                Some(value) => arg.value_name(value.clone()).action(ArgAction::Append),
                None => arg.action(ArgAction::SetTrue),
            }
        };
        let mut args: Vec<Arg> =
            longs.into_iter().map(|long| finish(Arg::new(long.clone()).long(long.clone()))).collect();
        match (short, args.pop()) {
            (Some(short), Some(arg)) => args.push(arg.short(short)),
            (Some(short), None) => args.push(finish(Arg::new(short.to_string()).short(short))),
            (None, arg) => args.extend(arg),
        }
        args
    }
}

fn page(command: &Command) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Man::new(command.clone())
        .manual("corm")
        .source(concat!("corm ", env!("CARGO_PKG_VERSION")))
        .render(&mut bytes)?;
    Ok(bytes)
}

/// Prints the names of the workloads, a line each.
const NAMES: &str = "corm ps 2>/dev/null | sed -n '1!s/ .*//p'";

fn completion(table: &Command, shell: Shell) -> Result<String> {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut table.clone(), "corm", &mut bytes);
    let mut script = String::from_utf8(bytes)?;
    let takers: Vec<&str> = table
        .get_subcommands()
        .filter(|command| command.get_arguments().any(|arg| arg.get_id() == NAME))
        .map(Command::get_name)
        .collect();
    ensure!(!takers.is_empty(), "no command takes the name of a workload");
    match shell {
        // What clap's function offers for a word that is no option is a placeholder.
        Shell::Bash => script.push_str(&format!(
            "\n_corm_with_names() {{\n    _corm \"$@\"\n    case \"${{COMP_WORDS[1]}}:$2\" in\n        \
             *:-*) ;;\n        {}) [[ $COMP_CWORD -gt 1 ]] &&\n            \
             mapfile -t COMPREPLY < <(compgen -W \"$({NAMES})\" -- \"$2\") ;;\n    esac\n}}\n\
             complete -F _corm_with_names -o bashdefault -o default corm\n",
            takers.iter().map(|name| format!("{name}:*")).collect::<Vec<_>>().join("|")
        )),
        Shell::Zsh => {
            let placeholder = ":_default'";
            ensure!(script.contains(placeholder), "clap's zsh script has no place for names");
            script = script.replace(placeholder, ":_corm_names'");
            script.insert_str(
                script.find("\n(( $+functions").context("clap's zsh script has no functions")?,
                &format!("\n_corm_names() {{\n    compadd -- ${{(f)\"$({NAMES})\"}}\n}}\n"),
            );
        }
        Shell::Fish => script.push_str(&format!(
            "complete -c corm -n \"__fish_seen_subcommand_from {}\" -f -a \"({NAMES})\"\n",
            takers.join(" ")
        )),
        other => bail!("no names are completed in {other}"),
    }
    Ok(script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_has_names_perhaps_a_value_and_a_text() {
        let read = |line| {
            let option = Opt::read(line)?;
            Some((option.names.join(" "), option.value.unwrap_or_default(), option.text))
        };
        let is = |names: &str, value: &str, text: &str| Some((names.into(), value.into(), text.into()));
        assert_eq!(read("--json  for programs"), is("json", "", "for programs"));
        assert_eq!(read("  -n, --lines COUNT  only the last"), is("n lines", "COUNT", "only the last"));
        assert_eq!(read("  -l, --rlimit N=N[:HARD] limit it"), is("l rlimit", "N=N[:HARD]", "limit it"));
        assert_eq!(read("-v: and for which"), is("v", "", "and for which"));
        assert_eq!(read("  -h, --help"), is("h help", "", ""));
        assert_eq!(read("--tty, --no-tty     with or"), is("tty no-tty", "", "with or"));
        assert_eq!(read("Exit status: 0"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn a_name_is_wanted_where_it_stands_by_itself() {
        assert!(takes_names("corm logs [-f] [--json | --raw] [NAME...]"));
        assert!(!takes_names("corm notify NAME=VALUE..."));
        assert!(!takes_names("corm poweroff"));
    }

    /// What bash completes, with a `corm` that knows two workloads.
    #[test]
    fn bash_completes_commands_options_and_the_names_of_workloads() {
        let help = "usage: corm stop [--no-wait] NAME...\n\nstop workloads.\n--no-wait  do not wait\n";
        let stop = explained("stop", "stop workloads", help).unwrap();
        let table = named("corm").subcommand(stop).subcommand(named("halt"));
        let script = completion(&table, Shell::Bash).unwrap();
        let completed = |words: &[&str]| {
            let last = words.last().unwrap();
            let script = format!(
                "corm() {{ printf 'NAME STATE\\nweb  up\\nwait up\\n'; }}\n{script}\n\
                 COMP_WORDS=({}) COMP_CWORD={}\n_corm_with_names corm '{last}' corm\n\
                 echo ${{COMPREPLY[*]}}",
                words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" "),
                words.len() - 1,
            );
            command::read(std::process::Command::new("bash").args(["-c", &script])).unwrap().trim().to_owned()
        };
        assert_eq!(completed(&["corm", "st"]), "stop");
        assert_eq!(completed(&["corm", "stop", "--"]), "--no-wait");
        assert_eq!(completed(&["corm", "stop", "w"]), "web wait");
        assert_eq!(completed(&["corm", "stop", "web", "wa"]), "wait");
        assert_eq!(completed(&["corm", "halt", "w"]), "");
    }
}
