//! The config's files: from the filesystem into [`Sources`].
//!
//! A config is a file and the drop-ins beside it: `/etc/corm.toml` and
//! `/etc/corm.d/*.toml`, `other.toml` and `other.d/*.toml`. Drop-ins are read in
//! the order of their names, found by looking through the directory again for
//! each, so nothing has to hold a list of them.
//!
//! PID 1 reads it with [`load`]; `corm check` uses the parts. Nothing here stops
//! anything: a file that cannot be read is told, and the rest counts.

use crate::config::{self, Config, Full, Outcome, Report, Shown, Sources, Tree};
use crate::log::Line;
use crate::sys::cell::TakeOnce;
use crate::sys::fs::{self, Open};
use crate::sys::pages;
use crate::sys::{BorrowedFd, Errno, io};
use crate::text::{Show, Sink, Text};
use crate::{error, limits, put, warn};
use core::ffi::CStr;

/// The config of a machine whose kernel command line names no other.
pub const DEFAULT: &CStr = c"/etc/corm.toml";

/// A file that is not read.
pub struct Unread<'a> {
    pub path: &'a [u8],
    pub why: Why,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    Errno(Errno),
    NotAFile,
    LongName,
    Full(Full),
}

impl Show for Unread<'_> {
    fn show(&self, out: &mut dyn Sink) {
        put!(*out, self.path, ": ");
        match self.why {
            Why::Errno(errno) => errno.show(out),
            Why::NotAFile => put!(*out, "not a regular file"),
            Why::LongName => put!(*out, "the path is too long: at most ", limits::PATH - 1, " bytes"),
            Why::Full(Full::Text) => {
                put!(*out, "the config is too large: at most ", limits::CONFIG_TEXT, " bytes in all files");
            }
            Why::Full(Full::Files) => {
                put!(*out, "too many files: at most ", limits::CONFIG_FILES);
            }
        }
    }
}

/// Who is told of a file that is not read.
pub type Tell<'a> = &'a mut dyn FnMut(Unread);

type Path = Text<{ limits::PATH }>;

/// Reads the machine's config, [`DEFAULT`] or another, and says in the log what is
/// wrong with it. Without a config nothing runs.
pub fn load(path: Option<&CStr>, sources: &mut Sources, config: &mut Config) -> Outcome {
    let path = path.unwrap_or(DEFAULT);
    sources.clear();
    let mut tell = |unread: Unread| error!("config: ", unread, "; it is left out");
    match add_file(path, sources) {
        Ok(()) => {}
        Err(Why::Errno(Errno::ENOENT)) => {
            warn!("config: there is no ", path, "; nothing in it, nothing runs")
        }
        Err(why) => tell(Unread { path: path.to_bytes(), why }),
    }
    add_drop_ins(path, sources, &mut tell);
    let Some(tree) = TREE.take() else { return Outcome::default() };
    let outcome = config::read(sources, tree, config, &mut ToLog);
    pages::give_back(tree);
    if outcome.problems > limits::CONFIG_PROBLEMS {
        error!("config: ", outcome.problems, " problems in all");
    }
    outcome
}

/// The values of the config, while it is read: once in a process's life.
pub static TREE: TakeOnce<Tree> = TakeOnce::new(Tree::EMPTY);

/// A problem takes a few lines, and each is a line of the log.
struct ToLog;

impl Report for ToLog {
    fn problem(&mut self, problem: &Shown) {
        let mut lines = Lines(Line::new());
        problem.show(&mut lines);
    }
}

struct Lines(Line);

impl Sink for Lines {
    fn put(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            match piece.split_last() {
                Some((b'\n', end)) => {
                    self.0.put(end);
                    error!(self.0);
                    self.0.clear();
                }
                _ => self.0.put(piece),
            }
        }
    }
}

/// Reads one file.
pub fn add_file(path: &CStr, sources: &mut Sources) -> Result<(), Why> {
    // A FIFO or a terminal must not make PID 1 wait.
    let how = Open::READ | Open::NON_BLOCKING | Open::NO_CTTY;
    let file = fs::open(BorrowedFd::CWD, path, how).map_err(Why::Errno)?;
    let stat = fs::stat_of(file.borrow()).map_err(Why::Errno)?;
    if !stat.is_regular() {
        return Err(Why::NotAFile);
    }
    sources.begin(path.to_bytes()).map_err(Why::Full)?;
    let done = fill(file.borrow(), sources);
    if done.is_err() {
        sources.abandon();
    }
    done
}

fn fill(file: BorrowedFd, sources: &mut Sources) -> Result<(), Why> {
    loop {
        let room = sources.room();
        // Where there is no room left, one byte more tells whether it was needed.
        let mut more = [0u8; 1];
        let is_full = room.is_empty();
        match io::read(file, if is_full { &mut more } else { room }) {
            Ok(0) => return Ok(()),
            Ok(_) if is_full => return Err(Why::Full(Full::Text)),
            Ok(count) => sources.keep(count),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(Why::Errno(errno)),
        }
    }
}

/// Reads the drop-ins of `name.toml`: the files `*.toml` in `name.d`, if there is one.
pub fn add_drop_ins(path: &CStr, sources: &mut Sources, tell: Tell) {
    let path = path.to_bytes();
    let mut directory = Path::new();
    let stem = path.len().checked_sub(b".toml".len()).and_then(|at| path.split_at_checked(at));
    let stem = stem.filter(|(_, ending)| *ending == b".toml").map_or(path, |(stem, _)| stem);
    put!(directory, stem, ".d");
    // A path too long for this was too long to be read.
    let Some(directory) = directory.as_c_str() else { return };
    match add_directory(directory, sources, tell) {
        Ok(()) | Err(Errno::ENOENT | Errno::ENOTDIR) => {}
        Err(errno) => tell(Unread { path: directory.to_bytes(), why: Why::Errno(errno) }),
    }
}

/// Reads the files `*.toml` in a directory, in the order of their names.
pub fn add_directory(directory: &CStr, sources: &mut Sources, tell: Tell) -> Result<(), Errno> {
    let mut last = Name::new();
    while let Some(name) = next_name(directory, last.as_bytes())? {
        let mut path = Path::new();
        put!(path, directory, "/", name);
        let cut = directory.to_bytes().len().saturating_add(name.len()).saturating_add(2) > limits::PATH;
        let done = match path.as_c_str().filter(|_| !cut) {
            Some(path) => add_file(path, sources),
            None => Err(Why::LongName),
        };
        if let Err(why) = done {
            tell(Unread { path: path.as_bytes(), why });
        }
        if done == Err(Why::Full(Full::Files)) {
            break;
        }
        last = name;
    }
    Ok(())
}

/// NAME_MAX, and a byte that is never used, so that no name is cut.
type Name = Text<256>;

/// The first name of a drop-in after `last`. Hidden files are somebody's editor's.
fn next_name(directory: &CStr, last: &[u8]) -> Result<Option<Name>, Errno> {
    let directory = fs::open(BorrowedFd::CWD, directory, Open::READ | Open::DIRECTORY)?;
    let mut least = Name::new();
    fs::for_each_entry(directory.borrow(), &mut |name| {
        let name = name.to_bytes();
        let fits = name.ends_with(b".toml") && !name.starts_with(b".");
        if fits && name > last && (least.is_empty() || name < least.as_bytes()) {
            least.clear();
            least.put(name);
        }
    })?;
    Ok(Some(least).filter(|name| !name.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;
    use std::fs as host;
    use std::path::PathBuf;

    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Directory {
            let path = std::env::temp_dir().join(format!("corm-config-files-{}-{name}", std::process::id()));
            let _ = host::remove_dir_all(&path);
            host::create_dir_all(path.join("corm.d")).unwrap();
            Directory(path)
        }

        fn write(&self, name: &str, text: &str) {
            host::write(self.0.join(name), text).unwrap();
        }

        fn read(&self) -> (Result<(), Why>, Vec<String>, Box<Sources>) {
            let mut sources = Box::new(Sources::EMPTY);
            let path = CString::new(self.0.join("corm.toml").to_str().unwrap()).unwrap();
            let main = add_file(&path, &mut sources);
            let mut told = Vec::new();
            add_drop_ins(&path, &mut sources, &mut |unread| {
                let mut text = Text::<512>::new();
                unread.show(&mut text);
                told.push(text.as_str().rsplit('/').next().unwrap().to_string());
            });
            (main, told, sources)
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = host::remove_dir_all(&self.0);
        }
    }

    struct Count(usize);
    impl Report for Count {
        fn problem(&mut self, _: &Shown) {
            self.0 += 1;
        }
    }

    fn names(sources: &Sources) -> Vec<String> {
        let (mut tree, mut config) = (Box::new(Tree::EMPTY), Box::new(Config::EMPTY));
        config::read(sources, &mut tree, &mut config, &mut Count(0));
        let name = |workload: &config::Workload| String::from_utf8_lossy(config.bytes(workload.name)).into();
        config.workloads.iter().map(name).collect()
    }

    #[test]
    fn drop_ins_are_read_in_the_order_of_their_names_and_only_they() {
        let directory = Directory::new("order");
        let workload = |name: &str| format!("[workload.{name}]\ncommand = [\"/bin/{name}\"]\n");
        directory.write("corm.toml", &workload("main"));
        for name in ["30-c", "10-a", "20-b"] {
            directory.write(&format!("corm.d/{name}.toml"), &workload(&name[3..]));
        }
        for other in ["40-d.toml~", ".50-e.toml", "60-f.txt"] {
            directory.write(&format!("corm.d/{other}"), "not toml");
        }
        let (main, told, sources) = directory.read();
        assert_eq!((main, told), (Ok(()), Vec::new()));
        assert_eq!(names(&sources), ["main", "a", "b", "c"]);
    }

    #[test]
    fn no_file_and_no_directory_are_no_config() {
        let directory = Directory::new("none");
        host::remove_dir(directory.0.join("corm.d")).unwrap();
        let (main, told, sources) = directory.read();
        assert_eq!(main, Err(Why::Errno(Errno::ENOENT)));
        assert_eq!(told, Vec::<String>::new());
        assert!(sources.is_empty());
    }

    #[test]
    fn what_does_not_fit_is_left_out_whole_and_told() {
        let directory = Directory::new("full");
        directory.write("corm.toml", "");
        directory.write("corm.d/1.toml", &"#".repeat(limits::CONFIG_TEXT));
        directory.write("corm.d/2.toml", "[workload.web]\ncommand = [\"/bin/web\"]");
        host::create_dir(directory.0.join("corm.d/3.toml")).unwrap();
        let (main, told, sources) = directory.read();
        assert_eq!(main, Ok(()));
        assert_eq!(
            told,
            [
                "1.toml: the config is too large: at most 65535 bytes in all files",
                "3.toml: not a regular file"
            ]
        );
        assert_eq!(names(&sources), ["web"]);
    }

    #[test]
    fn more_files_than_there_may_be_are_told_once() {
        let directory = Directory::new("many");
        directory.write("corm.toml", "");
        for number in 100..200 {
            directory.write(&format!("corm.d/{number}.toml"), "");
        }
        let (_, told, _) = directory.read();
        assert_eq!(told, ["163.toml: too many files: at most 64"]);
    }
}
