//! A process of the program, which does not outlive the tests, and what it says.

use std::{
    env,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_stellwerk");

/// Kills the process when the tests die before they could; their end closes its standard input.
const REAPER: &str = r#"read -r _; kill -9 "$1""#;

/// Dropped, it is killed.
pub(crate) struct Process {
    child: Child,
    reaper: Child,
}

/// What a process has said so far.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<String>>);

/// The program, without the settings of whoever runs the tests.
pub(crate) fn program() -> Command {
    let mut command = Command::new(PROGRAM);
    // The last one says where the coverage of the process is to be written, if it is measured.
    let kept = ["PATH", "STELLWERK_PG_BIN", "LLVM_PROFILE_FILE"];
    command.env_clear().envs(kept.iter().filter_map(|name| Some((name, env::var_os(name)?))));
    command.stdin(Stdio::null());
    command
}

impl Process {
    /// With what it says on standard output and standard error.
    pub(crate) fn spawn(mut command: Command) -> (Self, Log, Log) {
        let spawned = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.expect("the program starts");
        let reaper = Command::new("sh")
            .args(["-c", REAPER, "sh", &child.id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let stdout = Log::of(child.stdout.take().expect("piped"));
        let stderr = Log::of(child.stderr.take().expect("piped"));
        (Self { child, reaper }, stdout, stderr)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("our child")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("our child");
    }

    /// As a power failure would: no handler runs, nothing is finished.
    pub(crate) fn kill(&mut self) {
        // The reaper first: it must not outlive the pid it knows.
        let _ = self.reaper.kill();
        let _ = self.reaper.wait();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Log {
    /// Listens in a thread, which ends with the process.
    fn of(said: impl Read + Send + 'static) -> Self {
        let log = Self::default();
        let heard = log.clone();
        thread::spawn(move || {
            for line in BufReader::new(said).split(b'\n').map_while(Result::ok) {
                let mut text = heard.0.lock().unwrap_or_else(PoisonError::into_inner);
                text.push_str(&String::from_utf8_lossy(&line));
                text.push('\n');
            }
        });
        log
    }

    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
