//! Workloads on a bridge, seen from an outside world, from the machine and from each other. corm is
//! PID 1 of namespaces of its own here, on the kernel of this machine.

#[path = "network/dhcp.rs"]
mod dhcp;

use anyhow::{Context, Result};
use corm_native_tests::{PATIENCE, Place, install, wait_until};
use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

/// A machine that corm runs, with an interface `up0` to an outside that has 192.0.2.1.
struct World {
    corm: Child,
    /// The names of two network namespaces.
    machine: String,
    outside: String,
    lines: Receiver<String>,
    seen: Vec<String>,
}

/// What is done in the machine's namespaces before corm is their PID 1.
const PREPARE: &str = r#"
root=$1
mount --bind $root $root
cd $root
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs dev dev
mknod dev/null c 1 3; mknod dev/zero c 1 5; mknod dev/full c 1 7; mknod dev/random c 1 8
mknod dev/urandom c 1 9; mknod dev/tty c 5 0; mkdir dev/pts; chmod 666 dev/null dev/zero dev/full dev/*random dev/tty
mkdir -p old
# No user namespace is made by who has only changed its root.
pivot_root . old
cd /
/bin/busybox umount -l old
exec /init
"#;

impl World {
    /// `None`, and said so, where this machine cannot do it.
    fn boot(place: &Place, config: &str) -> Result<Option<World>> {
        World::boot_into(place, config, |_| Ok(()))
    }

    /// The same, with something done outside before there is a machine.
    fn boot_into(
        place: &Place,
        config: &str,
        prepare: impl FnOnce(&str) -> Result<()>,
    ) -> Result<Option<World>> {
        let able = |command: &str| {
            Command::new("sh").args(["-ec", command]).output().is_ok_and(|it| it.status.success())
        };
        if !able("ip link add corm-try type bridge && ip link del corm-try; command -v unshare nsenter") {
            eprintln!("SKIPPED: this takes ip(8), unshare(1) and a kernel with bridges");
            return Ok(None);
        }
        let root = place.root();
        for path in ["etc", "run", "sys", "www", "count"] {
            fs::create_dir_all(root.join(path))?;
        }
        install(&place.corm(), &root.join("init"))?;
        fs::write(root.join("www/index.html"), "a page")?;
        fs::write(root.join("etc/corm.toml"), config)?;
        // Places for what a workload on the machine's own root is to see there.
        for name in ["hosts", "hostname"] {
            fs::write(root.join("etc").join(name), "the machine's\n")?;
        }
        run("chmod", &["777", root.join("count").to_str().context("our path is text")?])?;
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = |what: &str| format!("corm-{what}-{}-{number}", std::process::id());
        let (machine, outside) = (name("m"), name("o"));
        run("ip", &["netns", "add", &machine])?;
        run("ip", &["netns", "add", &outside])?;
        let inside = |space: &str, command: &str| {
            run("sh", &["-ec", &command.replace("ip ", &format!("ip -n {space} "))])
        };
        inside(&machine, "ip link set lo up; ip link add up0 type veth peer name up1")?;
        run("ip", &["-n", &machine, "link", "set", "up1", "netns", &outside])?;
        inside(
            &outside,
            "ip link set lo up; ip addr add 192.0.2.1/24 dev up1; ip addr add 2001:db8::1/64 dev up1 nodad; ip link set up1 up",
        )?;
        prepare(&outside)?;
        let mut corm = Command::new("ip")
            .args([
                "netns",
                "exec",
                &machine,
                "unshare",
                "-m",
                "-p",
                "-f",
                "--kill-child",
                "--propagation",
                "private",
            ])
            .args(["sh", "-ec", PREPARE, "sh"])
            .arg(&root)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let errors = BufReader::new(corm.stderr.take().context("its stderr is a pipe")?);
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            errors.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)))
        });
        Ok(Some(World { corm, machine, outside, lines, seen: Vec::new() }))
    }

    /// Waits for a line with this in it.
    #[track_caller]
    fn wait_for(&mut self, text: &str) {
        let give_up = Instant::now() + PATIENCE;
        while !self.seen.iter().any(|line| line.contains(text)) {
            match self.lines.recv_timeout(give_up.saturating_duration_since(Instant::now())) {
                Ok(line) => self.seen.push(line),
                Err(_) => panic!("nobody said {text:?}:\n{}", self.seen.join("\n")),
            }
        }
    }

    /// What a workload has printed as `key=value`.
    fn said(&self, workload: &str) -> HashMap<String, String> {
        let marker = format!("{workload}: ");
        let line = |line: &String| {
            Some(line.split_once(&marker)?.1.split_once('=')?).map(|(key, value)| (key.into(), value.into()))
        };
        self.seen.iter().filter_map(line).collect()
    }

    /// The page at `url`, fetched from one of the two namespaces; empty if there is none.
    fn fetch(&self, from: &str, place: &Place, url: &str) -> Result<String> {
        let busybox = place.root().join("bin/busybox");
        let output = Command::new("ip")
            .args(["netns", "exec", from, "timeout", "3"])
            .arg(busybox)
            .args(["wget", "-q", "-O", "-", url])
            .output()?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn serve(&self, from: &str, place: &Place, port: u16) -> Result<()> {
        let busybox = place.root().join("bin/busybox");
        let status = Command::new("ip")
            .args(["netns", "exec", from])
            .arg(busybox)
            .args(["httpd", "-p", &port.to_string(), "-h"])
            .arg(place.root().join("www"))
            .status()?;
        anyhow::ensure!(status.success(), "no server on port {port} of {from}");
        Ok(())
    }

    /// The process that is corm: the one child of unshare(1).
    fn init(&self) -> Result<u32> {
        let pid = self.corm.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
        children.trim().parse().context("corm runs")
    }

    /// How much of everything there is: interfaces, corm's descriptors, its children's namespaces.
    fn inventory(&self) -> Result<[usize; 3]> {
        let links = run("ip", &["-n", &self.machine, "-o", "link"])?.lines().count();
        let descriptors =
            || -> Result<usize> { Ok(fs::read_dir(format!("/proc/{}/fd", self.init()?))?.count()) };
        // During a start there are more.
        let mut least = descriptors()?;
        for _ in 0..200 {
            least = least.min(descriptors()?);
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", self.init()?))?.lines().count();
        Ok([links, least, mounts])
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.corm.kill();
        let _ = self.corm.wait();
        for space in [&self.machine, &self.outside] {
            // What serves there.
            let pids = run("ip", &["netns", "pids", space]).unwrap_or_default();
            for pid in pids.split_whitespace() {
                let _ = run("kill", &["-9", pid]);
            }
            let _ = run("ip", &["netns", "del", space]);
        }
    }
}

fn run(program: &str, words: &[&str]) -> Result<String> {
    let output = Command::new(program).args(words).output()?;
    anyhow::ensure!(
        output.status.success(),
        "{program} {words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

const CONFIG: &str = r#"
[network]
dns = ["192.0.2.53", "2001:db8::53"]
br0 = { bridge = true, address = ["10.88.0.1/24", "fd00:88::1/64"], masquerade = true }
br1 = { bridge = true, address = "10.89.0.1/24" }
up0 = { address = ["192.0.2.2/24", "2001:db8::2/64"], gateway = ["192.0.2.1", "2001:db8::1"], routes = ["198.51.100.0/24 via 192.0.2.9 metric 50"], mtu = 1400, mac = "02:00:00:00:00:02" }

[workload.web]
command = ["/bin/busybox", "httpd", "-f", "-p", "80", "-h", "/www"]
limits = { pids = "max" }
volumes = { "/www" = { source = "/www" } }
network = { bridge = "br0", ports = ["8080:80"] }

[workload.open]
command = ["/bin/busybox", "httpd", "-f", "-p", "80", "-h", "/www"]
limits = { pids = "max" }
volumes = { "/www" = { source = "/www" } }
network = { bridge = "br0", address = "10.88.0.9/24", open = true }

[workload.apart]
command = ["/bin/busybox", "httpd", "-f", "-p", "80", "-h", "/www"]
limits = { pids = "max" }
volumes = { "/www" = { source = "/www" } }
network = { bridge = "br1" }

[workload.restless]
command = ["/bin/busybox", "sh", "-c", "for file in hosts resolv.conf hostname; do echo x >>/etc/$file && echo scribbled=$file; done 2>/dev/null; cat /etc/hostname >>/count/starts"]
user = "0:0"
security = { landlock = "off" }
limits = { pids = "max" }
backoff = { first = "10ms", most = "10ms" }
volumes = { "/count" = { source = "/count", writable = true } }
network = { bridge = "br0", ports = ["8081:80"] }

[workload.helper]
command = ["/bin/busybox", "sh", "-c", "echo address=$(ip -o addr show dev eth0 | awk '/inet / {print $4}'); echo names=$(grep -c open /etc/hosts); echo done=yes; sleep 1000"]
root = "/"
limits = { pids = "max" }
join = "open"

[workload.client]
command = ["/bin/busybox", "sh", "-c", '''
get() { timeout 3 wget -q -O - "$1" 2>/dev/null || echo nothing; }
until busybox test -e /count/go; do busybox sleep 0.1; done
echo interfaces=$(ls /sys/class/net)
echo address=$(ip -o addr show dev eth0 | awk '/inet / {print $4}')
echo neighbour=$(get http://10.88.0.2/)
echo open=$(get http://10.88.0.9/)
echo bridge=$(get http://10.89.0.2/)
echo published=$(get http://10.88.0.1:8080/)
echo published6=$(get "http://[fd00:88::1]:8080/")
echo allowed=$(get http://192.0.2.1:443/)
echo allowed6=$(get "http://[2001:db8::1]:443/")
echo refused=$(get http://192.0.2.1:444/)
echo machine=$(get http://10.88.0.1:9000/)
echo named=$(get http://open/)
echo hosts=$(grep -v localhost /etc/hosts)
echo hostname=$(cat /etc/hostname)
echo resolvers=$(grep -v '^#' /etc/resolv.conf)
ip link set eth0 down 2>/dev/null && echo down=yes || echo down=no
echo done=yes
sleep 1000
''']
root = "/"
limits = { pids = "max" }
volumes = { "/count" = { source = "/count" } }
network = { bridge = "br0", egress = ["any:443"] }
"#;

/// Restarts after which everything is counted again.
const RESTARTS: usize = 100;

#[test]
fn workloads_on_a_bridge_reach_what_the_config_says_and_are_reached_where_it_says() -> Result<()> {
    let Some(place) = Place::new()? else { return Ok(()) };
    let Some(mut world) = World::boot(&place, CONFIG)? else { return Ok(()) };
    // The outside sends answers to the machine alone: nothing gets there but under its address.
    for port in [443, 444] {
        world.serve(&world.outside, &place, port)?;
    }
    world.serve(&world.machine, &place, 9000)?;
    world.wait_for("client: running");
    fs::write(place.root().join("count/go"), "")?;

    let page = "a page";
    for (from, url, what) in [
        (&world.outside, "http://192.0.2.2:8080/", page),
        (&world.outside, "http://[2001:db8::2]:8080/", page),
        (&world.outside, "http://192.0.2.2:9000/", ""),
        (&world.outside, "http://192.0.2.2:80/", ""),
        (&world.machine, "http://127.0.0.1:8080/", page),
        (&world.machine, "http://192.0.2.2:8080/", page),
        (&world.machine, "http://10.88.0.1:8080/", page),
        (&world.machine, "http://10.88.0.2/", page),
        (&world.machine, "http://[fd00:88::1]:8080/", page),
        (&world.machine, "http://127.0.0.1:9000/", page),
    ] {
        assert_eq!(world.fetch(from, &place, url)?, what, "{url} from {from}\n{}", world.seen.join("\n"));
    }

    world.wait_for("client: done=yes");
    let said = world.said("client");
    for (key, value) in [
        ("interfaces", "eth0 lo"),
        ("address", "10.88.0.4/24"),
        ("neighbour", "nothing"),
        ("open", page),
        ("bridge", "nothing"),
        ("published", page),
        ("published6", page),
        ("allowed", page),
        ("allowed6", page),
        ("refused", "nothing"),
        ("machine", "nothing"),
        ("named", page),
        (
            "hosts",
            "10.88.0.2 web fd00:88::2 web 10.88.0.9 open 10.88.0.3 restless fd00:88::3 restless 10.88.0.4 client fd00:88::4 client",
        ),
        ("hostname", "client"),
        ("resolvers", "nameserver 192.0.2.53 nameserver 2001:db8::53"),
        ("down", "no"),
    ] {
        assert_eq!(said.get(key).map(String::as_str), Some(value), "{key}:\n{}", world.seen.join("\n"));
    }

    // Who joins a workload has its network, and its names.
    world.wait_for("helper: done=yes");
    let said = world.said("helper");
    for (key, value) in [("address", "10.88.0.9/24"), ("names", "1")] {
        assert_eq!(said.get(key).map(String::as_str), Some(value), "{key}:\n{}", world.seen.join("\n"));
    }

    let link = run("ip", &["-n", &world.machine, "link", "show", "up0"])?;
    assert!(link.contains("mtu 1400") && link.contains("02:00:00:00:00:02"), "{link}");
    let routes = run("ip", &["-n", &world.machine, "route"])?;
    assert!(routes.contains("198.51.100.0/24 via 192.0.2.9 dev up0 proto static metric 50"), "{routes}");

    let starts =
        || fs::read_to_string(place.root().join("count/starts")).map_or(0, |text| text.lines().count());
    wait_until("its first start", || starts() > 0);
    let (before, first) = (world.inventory()?, starts());
    wait_until("its restarts", || starts() >= first + RESTARTS);
    // It is root, and these are root's files.
    assert_eq!(world.said("restless").get("scribbled"), None);
    assert_eq!(world.inventory()?, before, "interfaces, descriptors, mounts");
    assert_eq!(world.fetch(&world.outside, &place, "http://192.0.2.2:8080/")?, page);
    Ok(())
}
