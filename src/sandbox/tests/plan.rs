use super::super::environment;
use super::super::plan::{Circumstances, Namespaces, Plan, Step, ids, machine_ids, plan, range};
use super::{FIRST, config};
use crate::config::WorkloadId;
use std::string::{String, ToString};
use std::vec::Vec;

const ON_A_MACHINE: Circumstances = Circumstances {
    enter: false,
    cgroup: true,
    terminal: false,
    device_files: false,
    keeps_groups: false,
    landlock: false,
    notify: false,
    ready: false,
    foreground: false,
};

fn planned(text: &str) -> Plan {
    let config = config(text);
    plan(&config, config.workload(FIRST).unwrap(), ON_A_MACHINE).expect("it fits")
}

fn steps(text: &str) -> Vec<Step> {
    planned(text).steps.to_vec()
}

/// Whether `first` is there, `then` is there, and in this order.
fn ordered(steps: &[Step], first: Step, then: Step) -> bool {
    let at = |step| steps.iter().position(|it| *it == step);
    at(first).zip(at(then)).is_some_and(|(first, then)| first < then)
}

const PLAIN: &str = r#"
    [workload.web]
    command = ["/bin/httpd"]
    root = "/srv/web"
"#;

#[test]
fn a_workload_that_says_nothing_gets_every_wall_in_this_order() {
    use Step::*;
    let plan = planned(PLAIN);
    assert_eq!(
        plan.namespaces,
        Namespaces { users: true, mount: true, uts: true, ipc: true, pid: true, network: true, time: false }
    );
    assert_eq!(
        plan.steps.as_slice(),
        [
            Wait,
            NamespaceRoot,
            Session,
            CgroupNamespace,
            Hostname,
            Loopback,
            PrivateMounts,
            Root,
            Devices,
            Terminals,
            SharedMemory,
            MessageQueues,
            Proc,
            Sys,
            Pivot,
            Stdio,
            Umask,
            BoundingSet,
            Groups,
            Gid,
            Uid,
            Keyring,
            Capabilities,
            NoNewPrivileges,
            CloseOnExec,
            Signals,
            Seccomp,
            Execute,
        ]
    );
}

#[test]
fn rights_go_after_all_that_needs_them_and_before_the_program() {
    let steps = steps(
        r#"
        [workload.web]
        command = ["/bin/httpd"]
        root = "scratch"
        user = "0:0"
        directory = "/data"
        volumes = { "/data" = { tmpfs = "1M" } }
        limits = { files = 20 }
        "#,
    );
    let last_with_rights = steps.iter().position(|step| *step == Step::BoundingSet).unwrap();
    for step in [
        Step::NotDumpable,
        Step::CgroupNamespace,
        Step::Hostname,
        Step::Loopback,
        Step::PrivateMounts,
        Step::Root,
        Step::Program,
        Step::Proc,
        Step::Devices,
        Step::Volume(0),
        Step::Pivot,
        Step::Stdio,
        Step::FewFiles,
    ] {
        let at = steps.iter().position(|it| *it == step);
        assert!(at.is_some_and(|at| at < last_with_rights), "{step:?} is at {at:?}");
    }
    for pair in [
        [Step::BoundingSet, Step::Groups],
        [Step::Groups, Step::Gid],
        [Step::Gid, Step::Uid],
        [Step::Uid, Step::Keyring],
        [Step::Uid, Step::Capabilities],
        [Step::NoNewPrivileges, Step::Seccomp],
        [Step::Signals, Step::Seccomp],
        [Step::Directory, Step::Seccomp],
        [Step::Capabilities, Step::NoNewPrivileges],
        [Step::NoNewPrivileges, Step::Execute],
        [Step::CloseOnExec, Step::Execute],
        [Step::Uid, Step::Directory],
        [Step::Directory, Step::Execute],
        [Step::Pivot, Step::Directory],
    ] {
        assert!(ordered(&steps, pair[0], pair[1]), "{pair:?} in {steps:?}");
    }
    assert_eq!(steps.last(), Some(&Step::Execute));
}

#[test]
fn asked_for_root_has_no_more_capabilities_and_is_not_looked_into() {
    let steps = steps(
        r#"
        [workload.web]
        command = ["/bin/httpd"]
        root = "/"
        user = "0:0"
        "#,
    );
    assert!(ordered(&steps, Step::NotDumpable, Step::Capabilities));
    assert!(steps.contains(&Step::BoundingSet) && steps.contains(&Step::NoNewPrivileges));
}

#[test]
fn a_privileged_workload_keeps_everything_but_still_has_its_own_session_and_clean_descriptors() {
    use Step::*;
    let plan = planned(
        r#"
        [workload.manager]
        command = ["/bin/manager"]
        root = "/"
        privileged = true
        "#,
    );
    assert_eq!(
        plan.namespaces,
        Namespaces {
            users: false,
            mount: false,
            uts: false,
            ipc: false,
            pid: false,
            network: false,
            time: false
        }
    );
    assert_eq!(
        plan.steps.as_slice(),
        [Wait, Session, Stdio, Umask, CloseOnExec, Directory, Signals, Execute]
    );
}

#[test]
fn doors_open_one_by_one() {
    let shared_pids = planned(
        r#"
        [workload.web]
        command = ["/bin/httpd"]
        root = "/srv/web"
        namespaces = { pid = "host" }
        "#,
    );
    assert_eq!(
        shared_pids.namespaces,
        Namespaces { users: true, mount: true, uts: true, ipc: true, pid: false, network: true, time: false }
    );
    assert!(shared_pids.steps.contains(&Step::Proc));
    let shared_network = planned(
        r#"
        [workload.web]
        command = ["/bin/httpd"]
        root = "/srv/web"
        network = { mode = "host" }
        "#,
    );
    assert_eq!(
        shared_network.namespaces,
        Namespaces { users: true, mount: true, uts: true, ipc: true, pid: true, network: false, time: false }
    );
    assert!(!shared_network.steps.contains(&Step::Loopback));
}

#[test]
fn ids_of_its_own_are_mapped_before_anything_is_made() {
    let of = |more: &str| {
        let config = config(&(PLAIN.to_string() + more));
        let workload = *config.workload(FIRST).unwrap();
        let steps = plan(&config, &workload, ON_A_MACHINE).unwrap().steps.to_vec();
        (range(&workload), ids(&workload), machine_ids(&workload), steps)
    };
    let (first, inside, outside, steps) = of("");
    let first = first.expect("it has a range");
    assert_eq!((inside, outside), (Some((65_532, 65_532)), Some((first + 65_532, first + 65_532))));
    assert_eq!(steps[..2], [Step::Wait, Step::NamespaceRoot]);
    // Without a user namespace it is the same to the machine.
    let (none, plain, same, steps) = of("namespaces = { user = \"host\" }\n");
    assert_eq!((none, plain, same), (None, outside, outside));
    assert!(!steps.contains(&Step::NamespaceRoot) && steps.contains(&Step::Wait));
    let (none, plain, same, _) = of("user = \"7:8\"\n");
    assert_eq!((none, plain, same), (None, Some((7, 8)), Some((7, 8))));
}

#[test]
fn each_namespace_is_shared_by_itself() {
    let of = |namespaces: &str| {
        let plan = planned(&std::format!("{PLAIN}namespaces = {{ {namespaces} }}\n"));
        let Namespaces { users, mount, uts, ipc, pid, network, time } = plan.namespaces;
        let cgroup = plan.steps.contains(&Step::CgroupNamespace);
        assert!(mount && uts == plan.steps.contains(&Step::Hostname));
        assert_eq!(network, plan.steps.contains(&Step::Loopback));
        [users, uts, ipc, pid, network, cgroup, time]
    };
    let own = [true, true, true, true, true, true, false];
    for (index, name) in ["user", "uts", "ipc", "pid", "network", "cgroup"].iter().enumerate() {
        let mut expected = own;
        expected[index] = false;
        assert_eq!(of(&std::format!("{name} = \"host\"")), expected, "{name}");
        assert_eq!(of(&std::format!("{name} = \"own\"")), own, "{name}");
    }
    assert_eq!(of("time = \"own\""), [true; 7]);
    assert_eq!(of("time = \"host\", mount = \"own\""), own);
}

#[test]
fn who_joins_is_born_into_what_is_there() {
    const POD: &str = r#"
        [workload.b]
        command = ["/bin/b"]
        join = "a"
        [workload.a]
        command = ["/bin/a"]
    "#;
    let of = |more: &str, of_a: &str| {
        let config = config(&std::format!("{}{of_a}", POD.replace("join", &std::format!("{more}\njoin"))));
        let [b, a] = [0, 1].map(|id| *config.workload(WorkloadId(id)).unwrap());
        assert_eq!((b.join, b.user), (Some(WorkloadId(1)), a.user));
        assert_eq!((range(&b), ids(&b), machine_ids(&b)), (range(&a), ids(&a), machine_ids(&a)));
        assert!(config.edges(b.after).contains(&WorkloadId(1)), "it starts after the one it joins");
        let plan = plan(&config, &b, ON_A_MACHINE).unwrap();
        assert_eq!(plan.steps.contains(&Step::NamespaceRoot), range(&b).is_some());
        let Namespaces { users, mount, uts, ipc, pid, network, .. } = plan.namespaces;
        assert!(!users && mount && pid);
        [uts, ipc, network]
    };
    assert_eq!(of("", ""), [false, false, false]);
    assert_eq!(of("namespaces = { ipc = \"own\" }", ""), [false, true, false]);
    assert_eq!(of("network.mode = \"none\"", ""), [false, false, true]);
    assert_eq!(of("", "user = 7"), [false, false, false]);
    assert_eq!(of("", "namespaces.user = \"host\""), [false, false, false]);
}

#[test]
fn volumes_are_mounted_outside_in_whatever_their_order_in_the_config() {
    let steps = steps(
        r#"
        [workload.web]
        command = ["/bin/httpd"]
        root = "/srv/web"
        [workload.web.volumes]
        "/data/deep/er" = { tmpfs = "1M" }
        "/data" = { tmpfs = "1M" }
        "/data/deep" = { tmpfs = "1M" }
        "#,
    );
    let volumes: Vec<_> = steps.iter().filter(|step| matches!(step, Step::Volume(_))).collect();
    assert_eq!(volumes, [&Step::Volume(1), &Step::Volume(2), &Step::Volume(0)]);
    assert!(ordered(&steps, Step::SharedMemory, Step::Volume(1)));
    assert!(ordered(&steps, Step::Volume(0), Step::Pivot));
}

#[test]
fn as_many_volumes_as_there_is_room_for_fit_and_one_more_is_an_error() {
    let with = |count: usize| {
        let volumes: String =
            (0..count).map(|n| std::format!("\"/v{n}\" = {{ tmpfs = \"1M\" }}\n")).collect();
        config(&(PLAIN.to_string() + "[workload.web.volumes]\n" + &volumes))
    };
    let most = crate::limits::WORKLOAD_VOLUMES;
    let full = with(most);
    assert!(plan(&full, full.workload(FIRST).unwrap(), ON_A_MACHINE).is_some());
    let over = with(most + 1);
    assert!(plan(&over, over.workload(FIRST).unwrap(), ON_A_MACHINE).is_none());
}

#[test]
fn everything_at_once_fits_into_a_plan() {
    let volumes: String = (0..crate::limits::WORKLOAD_VOLUMES)
        .map(|n| std::format!("\"/v{n}\" = {{ tmpfs = \"1M\" }}\n"))
        .collect();
    let limits = include_str!("../../../tests/config/good/limits-all.toml");
    let limits = &limits[limits.find("[workload.web.limits]").unwrap()..];
    let config = config(&std::format!(
        r#"
        [workload.web]
        command = ["/bin/httpd"]
        root = "scratch"
        user = "0:0"
        directory = "/v1"
        {limits}
        [workload.web.volumes]
        {volumes}"#
    ));
    let most = Circumstances { terminal: true, device_files: true, foreground: true, ..ON_A_MACHINE };
    assert!(plan(&config, config.workload(FIRST).unwrap(), most).is_some());
}

#[test]
fn without_a_cgroup_there_is_no_cgroup_namespace_and_a_terminal_only_if_asked_for() {
    let config = config(PLAIN);
    let workload = config.workload(FIRST).unwrap();
    let bare =
        plan(&config, workload, Circumstances { cgroup: false, terminal: true, ..ON_A_MACHINE }).unwrap();
    assert!(!bare.steps.contains(&Step::CgroupNamespace));
    assert!(ordered(&bare.steps, Step::Session, Step::ControllingTerminal));
    assert!(ordered(&bare.steps, Step::Stdio, Step::ControllingTerminal));
    assert!(ordered(&bare.steps, Step::ControllingTerminal, Step::Capabilities));
}

#[test]
fn only_who_asks_for_it_is_without_a_filter() {
    let off = steps(&(PLAIN.to_string() + "security.seccomp = \"off\"\n"));
    assert!(!off.contains(&Step::Seccomp));
    let own = steps(&(PLAIN.to_string() + "security.seccomp = { allow = [] }\n"));
    assert_eq!(own.iter().rev().nth(1), Some(&Step::Seccomp));
}

fn environment_of(text: &str) -> Option<Vec<String>> {
    let config = config(text);
    let mut block = environment::Block::new();
    let fits = environment::fill(&config, config.workload(FIRST).unwrap(), false, &mut block);
    fits.then(|| environment::strings(&block).map(|it| it.to_str().unwrap().to_string()).collect())
}

#[test]
fn the_environment_is_three_defaults_and_what_the_config_says() {
    let all =
        environment_of(&(PLAIN.to_string() + "env = { TZ = \"UTC\", HOME = \"/data\", EMPTY = \"\" }\n"));
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    assert_eq!(all.unwrap(), [path, "CORM_WORKLOAD=web", "TZ=UTC", "HOME=/data", "EMPTY="]);
}

#[test]
fn an_environment_that_does_not_fit_is_refused_not_cut() {
    let value = "x".repeat(crate::limits::ENVIRONMENT);
    assert_eq!(environment_of(&std::format!("{PLAIN}env = {{ BIG = \"{value}\" }}\n")), None);
    let many: String = (0..crate::limits::ENVIRONMENT_WORDS).map(|n| std::format!("V{n} = \"\"\n")).collect();
    assert_eq!(environment_of(&std::format!("{PLAIN}[workload.web.env]\n{many}")), None);
}

#[test]
fn names_are_for_those_with_a_network_and_below_their_volumes() {
    let with = |network: &str| {
        steps(&format!("{PLAIN}network = {{ {network} }}\nvolumes = {{ \"/etc\" = {{ tmpfs = \"1M\" }} }}"))
    };
    let own = with("mode = \"host\"");
    assert!(ordered(&own, Step::Proc, Step::Names) && ordered(&own, Step::Names, Step::Volume(0)));
    assert!(!with("mode = \"none\"").contains(&Step::Names));
}
