//! What depmod(8) writes into /lib/modules/VERSION, read without a copy.
//!
//! `modules.dep` has a line for each module: its path, a colon, and the paths of
//! all it needs, directly or not, nearest first. So loading a line from its end
//! to its beginning needs no graph and no recursion. `modules.softdep` names
//! what else is wanted first, `modules.builtin` what needs no loading, and
//! `modules.alias` other names for modules. Pure: everything is a slice of a
//! file's text.

/// A line of modules.dep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Module<'a> {
    /// Relative to the directory of modules.dep, or absolute.
    pub path: &'a [u8],
    needs: &'a [u8],
}

impl<'a> Module<'a> {
    /// What must be loaded before it, in that order.
    pub fn needs(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        words(self.needs).rev()
    }

    fn parse(line: &'a [u8]) -> Option<Module<'a>> {
        let (path, needs) = split(line, b':')?;
        Some(Module { path, needs })
    }
}

/// A name to be looked up, and its line once found.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'n, 't> {
    pub name: &'n [u8],
    /// By the config; otherwise by another module's soft dependency, which may
    /// be missing without a word.
    pub asked: bool,
    pub module: Option<Module<'t>>,
}

/// Finds all of `wanted` in modules.dep, in one pass: it is half a megabyte on
/// a distribution's kernel.
pub fn find_all<'t>(modules_dep: &'t [u8], wanted: &mut [Wanted<'_, 't>]) {
    for line in lines(modules_dep) {
        let Some(module) = Module::parse(line) else { continue };
        let name = name_of(module.path);
        for one in wanted.iter_mut() {
            if one.module.is_none() && same_name(one.name, name) {
                one.module = Some(module);
            }
        }
    }
}

/// Whether `name` is built into the kernel, by modules.builtin.
pub fn is_builtin(modules_builtin: &[u8], name: &[u8]) -> bool {
    lines(modules_builtin).any(|path| same_name(name_of(path), name))
}

/// The names that modules.softdep wants loaded before `name`.
pub fn soft_needs<'a>(modules_softdep: &'a [u8], name: &[u8]) -> impl Iterator<Item = &'a [u8]> {
    // softdep NAME pre: A B post: C
    lines(modules_softdep)
        .filter_map(move |line| {
            let mut words = words(line);
            let matches = words.next()? == b"softdep" && same_name(words.next()?, name);
            matches.then_some(words)
        })
        .flat_map(|words| {
            words.skip_while(|word| *word != b"pre:").skip(1).take_while(|word| *word != b"post:")
        })
}

/// The modules that go by `alias`, by modules.alias. Patterns for devices
/// (`pci:v0000…*`) are not matched: corm is asked by name.
pub fn by_alias<'a>(modules_alias: &'a [u8], alias: &[u8]) -> impl Iterator<Item = &'a [u8]> {
    lines(modules_alias).filter_map(move |line| {
        let mut words = words(line.strip_prefix(b"alias ")?);
        // Most lines end here: their first letter differs.
        if same_name(words.next()?, alias) { words.next() } else { None }
    })
}

/// `kernel/drivers/net/virtio_net.ko.xz` is `virtio_net`.
pub fn name_of(path: &[u8]) -> &[u8] {
    let file = path.iter().rposition(|&byte| byte == b'/').and_then(|at| path.get(at.saturating_add(1)..));
    let file = file.unwrap_or(path);
    split(file, b'.').map_or(file, |(name, _)| name)
}

/// Whether the kernel must unpack the file first.
pub fn is_compressed(path: &[u8]) -> bool {
    !path.ends_with(b".ko")
}

/// Module names are the same whether with `-` or `_`.
pub fn same_name(a: &[u8], b: &[u8]) -> bool {
    let letter = |byte: u8| if byte == b'-' { b'_' } else { byte };
    a.len() == b.len() && a.iter().zip(b).all(|(&a, &b)| letter(a) == letter(b))
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty())
}

fn words(text: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    text.split(|&byte| byte == b' ' || byte == b'\t').filter(|word| !word.is_empty())
}

fn split(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let (before, after) = text.split_at_checked(text.iter().position(|&byte| byte == at)?)?;
    Some((before, after.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::String;
    use std::vec::Vec;

    const DEP: &[u8] = b"kernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko\n\
        kernel/drivers/virtio/virtio_ring.ko:\n\
        kernel/drivers/net/virtio_net.ko.xz: kernel/drivers/net/net_failover.ko.xz kernel/net/core/failover.ko.xz kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko\n\
        kernel/sound/snd-hda-intel.ko: \n\
        /opt/own.ko.zst:\n";

    fn find<'a>(text: &'a [u8], name: &'a str) -> Option<(&'a str, Vec<&'a str>)> {
        let mut wanted = [Wanted { name: name.as_bytes(), asked: true, module: None }];
        find_all(text, &mut wanted);
        let text = |bytes| core::str::from_utf8(bytes).unwrap();
        wanted[0].module.map(|module| (text(module.path), module.needs().map(text).collect()))
    }

    #[test]
    fn what_a_module_needs_comes_farthest_first() {
        assert_eq!(
            find(DEP, "virtio_net"),
            Some((
                "kernel/drivers/net/virtio_net.ko.xz",
                vec![
                    "kernel/drivers/virtio/virtio_ring.ko",
                    "kernel/drivers/virtio/virtio.ko",
                    "kernel/net/core/failover.ko.xz",
                    "kernel/drivers/net/net_failover.ko.xz",
                ]
            ))
        );
        assert_eq!(find(DEP, "virtio_ring"), Some(("kernel/drivers/virtio/virtio_ring.ko", vec![])));
    }

    #[test]
    fn dashes_and_underscores_are_the_same_letter() {
        assert!(find(DEP, "snd_hda_intel").is_some());
        assert!(find(DEP, "snd-hda-intel").is_some());
        assert!(find(DEP, "virtio-net").is_some());
    }

    #[test]
    fn a_name_is_a_whole_name() {
        for name in ["virtio_ne", "virtio_net.ko", "net", "", "kernel", "ring"] {
            assert_eq!(find(DEP, name), None, "{name}");
        }
        assert_eq!(find(DEP, "own"), Some(("/opt/own.ko.zst", vec![])));
    }

    #[test]
    fn compressed_files_are_known_by_their_names() {
        assert!(is_compressed(b"kernel/a.ko.xz") && is_compressed(b"a.ko.zst") && is_compressed(b"a.ko.gz"));
        assert!(!is_compressed(b"kernel/a.ko"));
    }

    #[test]
    fn soft_dependencies_are_those_before_post() {
        let text =
            b"# comment\nsoftdep ext4 pre: crc32c sha256\nsoftdep a-b pre: x post: y z\nsoftdep c post: d\n\
            softdep cifs gcm\n";
        let of = |name: &str| -> Vec<&[u8]> { soft_needs(text, name.as_bytes()).collect() };
        assert_eq!(of("ext4"), [&b"crc32c"[..], b"sha256"]);
        assert_eq!(of("a_b"), [b"x"]);
        assert!(of("c").is_empty() && of("d").is_empty() && of("cifs").is_empty());
    }

    #[test]
    fn aliases_lead_to_every_module_of_that_name() {
        let text = b"alias pci:v00001AF4d*sv*sd*bc*sc*i* virtio_pci\nalias crc32c crc32c_generic\nalias crc32c crc32c_intel\n";
        assert_eq!(by_alias(text, b"crc32c").collect::<Vec<_>>(), [&b"crc32c_generic"[..], b"crc32c_intel"]);
        assert_eq!(by_alias(text, b"crc32").count(), 0);
    }

    #[test]
    fn builtin_modules_are_found_by_name() {
        let text = b"kernel/fs/ext4/ext4.ko\nkernel/crypto/crc32c_generic.ko\n";
        assert!(is_builtin(text, b"ext4") && is_builtin(text, b"crc32c-generic"));
        assert!(!is_builtin(text, b"ext") && !is_builtin(text, b""));
    }

    fn arbitrary_graph() -> impl Strategy<Value = Vec<(String, Vec<usize>)>> {
        proptest::collection::vec(
            ("[a-z][a-z0-9_-]{0,12}", proptest::collection::vec(0usize..64, 0..6)),
            1..40,
        )
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(text in proptest::collection::vec(any::<u8>(), 0..400), name in "[a-z_]{0,6}") {
            let mut wanted = [Wanted { name: name.as_bytes(), asked: true, module: None }];
            find_all(&text, &mut wanted);
            if let Some(module) = wanted[0].module {
                module.needs().count();
            }
            is_builtin(&text, name.as_bytes());
            soft_needs(&text, name.as_bytes()).count();
            by_alias(&text, name.as_bytes()).count();
        }

        /// A modules.dep as depmod writes it: each line has all it needs, nearest first.
        #[test]
        fn every_module_of_a_graph_is_found_with_its_order(graph in arbitrary_graph()) {
            let unique: Vec<String> = graph.iter().enumerate().map(|(i, (name, _))| format!("{name}_{i}")).collect();
            let mut text = String::new();
            let mut orders: Vec<Vec<usize>> = Vec::new();
            for (i, (_, needs)) in graph.iter().enumerate() {
                // Only earlier ones, so that there is no cycle; loading order is farthest first.
                let mut order: Vec<usize> = Vec::new();
                for &need in needs.iter().filter(|&&need| need < i) {
                    for &farther in orders[need].iter().chain([&need]) {
                        if !order.contains(&farther) {
                            order.push(farther);
                        }
                    }
                }
                let paths: Vec<String> = order.iter().rev().map(|&n| format!("kernel/{}.ko", unique[n])).collect();
                text.push_str(&format!("kernel/{}.ko: {}\n", unique[i], paths.join(" ")));
                orders.push(order);
            }
            let mut wanted: Vec<Wanted> =
                unique.iter().map(|name| Wanted { name: name.as_bytes(), asked: true, module: None }).collect();
            find_all(text.as_bytes(), &mut wanted);
            for (i, one) in wanted.iter().enumerate() {
                let module = one.module.unwrap();
                prop_assert_eq!(name_of(module.path), unique[i].as_bytes());
                let order: Vec<&[u8]> = module.needs().map(name_of).collect();
                let expected: Vec<&[u8]> = orders[i].iter().map(|&n| unique[n].as_bytes()).collect();
                prop_assert_eq!(order, expected);
            }
        }
    }
}
