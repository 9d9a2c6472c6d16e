//! A second real kernel: User-Mode Linux as Debian packages it (6.1), with what a machine's own kernel often lacks:
//! IPVS, IPIP, GRE, Geneve, VLANs. It runs one test of this program in a machine of its own whose root is this
//! machine's files, read only.

use std::fmt::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Set inside, so that a test knows where it runs.
const INSIDE: &str = "HOPLAB_INSIDE_UML";
const MODULES: &str = "/usr/lib/uml/modules";
/// Longest time that a test takes there.
const PATIENCE: Duration = Duration::from_secs(300);

/// Whether this process runs there.
pub fn inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Why it cannot be used on this machine; `None`: it can.
pub fn missing() -> Option<String> {
    let tools = [
        "linux.uml",
        "modprobe",
        "iptables-legacy",
        "ipvsadm",
        "ipset",
        "conntrack",
        "cc",
    ];
    if let Some(tool) = tools.into_iter().find(|tool| !crate::netns::has(tool)) {
        return Some(format!("there is no {tool}"));
    }
    if !Path::new(MODULES).is_dir() {
        return Some(format!("there is no {MODULES}"));
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let root = status.lines().any(|l| l.starts_with("Uid:\t0\t"));
    (!root).then(|| "only root may".to_owned())
}

/// Runs a test of this program there. What it printed; as an error with the kernel's own words, when it failed.
pub fn run(test: &str) -> Result<String, String> {
    let folder = Folder::new(test)?;
    let told = |what: &str, error: std::io::Error| format!("{what}: {error}");
    let path = |name: &str| folder.0.join(name);
    let program = std::env::current_exe().map_err(|e| told("this program", e))?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernel_live/xstate.c");
    let shim = path("xstate.so");
    let made = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&shim, &source])
        .output()
        .map_err(|e| told("cc", e))?;
    if !made.status.success() {
        return Err(String::from_utf8_lossy(&made.stderr).into_owned());
    }
    let script = init(&folder.0, &program, test);
    std::fs::write(path("init"), script).map_err(|e| told("init", e))?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(path("init"), mode).map_err(|e| told("init", e))?;
    let log = std::fs::File::create(path("log")).map_err(|e| told("log", e))?;
    let mut kernel = Command::new("linux.uml")
        .args(["mem=768M", "root=/dev/root", "rootfstype=hostfs", "ro"])
        .arg(format!("init={}", path("init").display()))
        .args(["con=null", "con0=null,fd:1", "ssl=null", "quiet"])
        .env("LD_PRELOAD", &shim)
        .stdin(Stdio::null())
        .stdout(log.try_clone().map_err(|e| told("log", e))?)
        .stderr(log)
        // Its processes are of one group, so that a kernel that hangs is ended with all of them.
        .process_group(0)
        .spawn()
        .map_err(|e| told("linux.uml", e))?;
    let nap = Duration::from_millis(50);
    let mut naps = 0;
    while kernel.try_wait().map_err(|e| told("linux.uml", e))?.is_none() {
        naps += 1;
        if nap * naps > PATIENCE {
            let group = format!("-{}", kernel.id());
            let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
            let _ = kernel.wait();
        }
        std::thread::sleep(nap);
    }
    let read = |name: &str| std::fs::read_to_string(path(name)).unwrap_or_default();
    if read("status").trim() == "0" {
        return Ok(read("out"));
    }
    let last: Vec<String> = read("log").lines().rev().take(30).map(str::to_owned).collect();
    let last: Vec<String> = last.into_iter().rev().collect();
    Err(format!("{}\nUser-Mode Linux:\n{}", read("out"), last.join("\n")))
}

/// What its first process does: the file systems, modules on demand, the test, the end.
fn init(folder: &Path, program: &Path, test: &str) -> String {
    let mut out = "#!/bin/sh\nexport PATH=/usr/sbin:/usr/bin:/sbin:/bin\n".to_owned();
    let _ = writeln!(out, "export {INSIDE}=1");
    // The shim keeps no more of a thread's registers than this kernel does.
    out += "export GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX512DQ,-AVX512CD\n";
    for (kind, at) in [("proc", "/proc"), ("sysfs", "/sys"), ("tmpfs", "/run")] {
        let _ = writeln!(out, "mount -t {kind} {kind} {at}");
    }
    let folder = folder.display();
    let _ = writeln!(
        out,
        "mkdir -p /run/io /run/m/lib\nln -s {MODULES} /run/m/lib/modules"
    );
    out += "printf '#!/bin/sh\\nexec modprobe -d /run/m \"$@\"\\n' > /run/modprobe\nchmod +x /run/modprobe\n";
    out += "echo /run/modprobe > /proc/sys/kernel/modprobe\n";
    let _ = writeln!(out, "mount -t hostfs none /run/io -o {folder}");
    out += "for m in ipv6 veth bridge br_netfilter vxlan nfnetlink_log xt_TRACE nf_log_syslog iptable_raw iptable_nat \
            iptable_mangle iptable_filter nf_conntrack_netlink ip_vs ip_vs_rr; do /run/modprobe $m; done\n";
    out += "ip link set lo up\n";
    let _ = writeln!(
        out,
        "{} --exact {test} --nocapture --test-threads=1 > /run/io/out 2>&1\necho $? > /run/io/status\nsync\nhalt -f",
        program.display()
    );
    out
}

/// A folder of the machine that goes when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Result<Self, String> {
        let name = format!("hoplab-uml-{}-{test}", std::process::id());
        let folder = std::env::temp_dir().join(name.replace(':', "-"));
        std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
