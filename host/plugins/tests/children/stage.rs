//! A child, its lines, and questions to it.

use std::{
    error::Error,
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use selkies_plugin_host::child::{Child, Launch, Limits, Profile};

/// What a test answers.
pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// How long anything may take on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Cargo builds examples before tests, into the folder beside the test's own.
pub(crate) fn program() -> Result<PathBuf, Box<dyn Error>> {
    let test = std::env::current_exe()?;
    let profile = test.parent().and_then(|deps| deps.parent()).ok_or("no target folder")?;
    Ok(profile.join("examples/puppet"))
}

/// A running child.
pub(crate) struct Puppet {
    pub(crate) child: Child,
    pub(crate) lines: Arc<Mutex<Vec<String>>>,
}

impl Puppet {
    /// One as a codec's.
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        Self::with(Profile::default(), Limits::default())
    }

    pub(crate) fn with(profile: Profile, limits: Limits) -> Result<Self, Box<dyn Error>> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let child = Child::spawn(Launch {
            program: program()?,
            arguments: vec!["unused".into()],
            label: "test.puppet".into(),
            profile,
            limits,
            lines: Box::new(move |line| {
                sink.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned())
            }),
        })?;
        Ok(Self { child, lines })
    }

    pub(crate) fn tell(&self, message: &str) -> Outcome {
        Ok(self.child.channel().send(message.as_bytes(), &[])?)
    }

    pub(crate) fn ask(&self, message: &str) -> Result<String, Box<dyn Error>> {
        self.tell(message)?;
        let mut answer = Vec::new();
        self.child.channel().receive(&mut answer, Some(Instant::now() + PATIENCE))?;
        Ok(String::from_utf8(answer)?)
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Runs a test again in a process with nothing else to do, whose environment holds a secret. True in that process.
pub(crate) fn alone(test: &str) -> Result<bool, Box<dyn Error>> {
    const SECRET: (&str, &str) = ("SELKIES_TURN_SHARED_SECRET", "hidden");
    if std::env::var(SECRET.0).is_ok_and(|value| value == SECRET.1) {
        return Ok(true);
    }
    let output = Command::new(std::env::current_exe()?)
        .args(["--exact", test, "--nocapture"])
        .env(SECRET.0, SECRET.1)
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{output:?}");
    Ok(false)
}

/// Waits until `condition` holds; false when it never does.
pub(crate) fn eventually(condition: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() > deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(2));
    }
    true
}
