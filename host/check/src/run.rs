//! Runs the jobs, each in a child, and gathers the verdicts.

use std::{
    io::{Read, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};
use selkies_plugin_host::{Candidate, Manifest, discover};
use serde_json::{Map, Value};

use crate::{
    child::{CHILD_ARGUMENT, run_here},
    jobs::{self, COMMON, Job, Order},
    journal,
    report::{PluginReport, Report},
    rule::{self, Rule, Severity, rules},
    rules::packaging::PKG_011,
    verdict::{Ending, Outcome, Remains, Verdicts},
};

/// Bytes of a child's standard output that are kept, the first ones.
const KEPT_STDOUT: usize = 256;
/// Bytes of a child's standard error that are kept, the last ones.
const KEPT_STDERR: usize = 8192;

/// What is to be checked, and how.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A manifest, a library, or a folder with plugins, each.
    pub files: Vec<PathBuf>,
    /// The binary to run as a child: it calls [`crate::run_child`] when its first argument is [`CHILD_ARGUMENT`].
    pub program: PathBuf,
    /// The plugins' configuration.
    pub config: Map<String, Value>,
    /// Only these rules, by id; all when empty.
    pub rules: Vec<String>,
    /// Run in this process, for debuggers.
    pub in_process: bool,
    /// Random calls instead of the rules' own.
    pub fuzz: Option<Fuzz>,
}

/// Random calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fuzz {
    /// What determines the calls.
    pub seed: u64,
    /// For how long.
    pub seconds: u64,
}

/// Why nothing was checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// No plugin there.
    #[error(
        "CK001 {path}: found no plugin, allowed a manifest, a library beside its manifest, or a folder with plugins"
    )]
    Nothing {
        /// What was given.
        path: PathBuf,
    },
    /// No such rule.
    #[error("CK002 {id:?}: found no rule with this id; `selkies-host plugins check --list` lists them")]
    UnknownRule {
        /// What was given.
        id: String,
    },
    /// A child could not be run, or what it needs not be made.
    #[error("CK003 {what}: {source}; check free memory, processes and the temporary folder")]
    System {
        /// What was to be done.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
}

fn system(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> CheckError {
    let what = what.into();
    move |source| CheckError::System { what, source }
}

/// Checks plugins against the rules. `progress` gets each plugin's report when it is ready.
///
/// # Errors
/// When nothing could be checked. A plugin that breaks rules is no error.
pub fn check(options: &Options, mut progress: impl FnMut(&PluginReport)) -> Result<Report, CheckError> {
    let mut wanted = Vec::new();
    for id in &options.rules {
        wanted.push(rule::find(id).ok_or_else(|| CheckError::UnknownRule { id: id.clone() })?);
    }
    let manifests = find_manifests(&options.files)?;
    let mut plugins = Vec::new();
    for manifest in &manifests {
        let report = check_one(options, manifest, &manifests, &wanted)?;
        progress(&report);
        plugins.push(report);
    }
    Ok(Report::new(plugins))
}

/// The manifest of each plugin.
fn find_manifests(files: &[PathBuf]) -> Result<Vec<PathBuf>, CheckError> {
    let mut manifests = Vec::new();
    for path in files {
        let nothing = || CheckError::Nothing { path: path.clone() };
        let is_manifest = |path: &Path| {
            path.file_name().and_then(|name| name.to_str()).is_some_and(Manifest::is_manifest_name)
        };
        let beside = |folder: &Path| {
            let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
                .into_iter()
                .flatten()
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| is_manifest(path))
                .collect();
            found.sort();
            found
        };
        let found = if path.is_dir() {
            let found = discover(std::slice::from_ref(path));
            let mut all: Vec<PathBuf> =
                found.candidates.iter().map(|candidate| candidate.manifest_path().to_owned()).collect();
            // A manifest that cannot be read is a plugin too, and fails PKG-001.
            all.extend(beside(path).into_iter().filter(|path| Candidate::read(path).is_err()));
            all.dedup();
            all
        } else if is_manifest(path) {
            vec![path.clone()]
        } else {
            let folder =
                path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let names = |manifest: &PathBuf| {
                Candidate::read(manifest)
                    .is_ok_and(|candidate| candidate.library_path().file_name() == path.file_name())
            };
            beside(folder).into_iter().filter(names).collect()
        };
        if found.is_empty() || !path.exists() {
            return Err(nothing());
        }
        for manifest in found {
            manifests.push(std::fs::canonicalize(&manifest).map_err(system(manifest.display().to_string()))?);
        }
    }
    Ok(manifests)
}

fn check_one(
    options: &Options,
    manifest: &Path,
    company: &[PathBuf],
    wanted: &[&'static Rule],
) -> Result<PluginReport, CheckError> {
    let candidate = Candidate::read(manifest);
    let offered: Vec<String> = candidate
        .as_ref()
        .map(|candidate| {
            candidate.manifest().interfaces.iter().map(|interface| interface.as_str().to_owned()).collect()
        })
        .unwrap_or_default();
    let offers = |table: &str| offered.iter().any(|id| id == table);
    let mut verdicts = Verdicts::default();
    for rule in rules() {
        if let Some(table) = rule.table.filter(|table| candidate.is_ok() && !offers(table)) {
            verdicts.add(rule, Outcome::Skipped, Some(format!("the plugin does not offer {table}")));
        }
    }
    let fuzz = options.fuzz.map(|fuzz| (fuzz.seed, fuzz.seconds));
    let mut stderr = String::new();
    let mut ran = Vec::new();
    for job in jobs::all() {
        let concerned = wanted.is_empty() || job.rules.iter().chain(COMMON).any(|rule| wanted.contains(rule));
        let fits = job.table.is_none_or(|table| candidate.is_err() || offers(table));
        if !concerned
            || !fits
            || job.fuzz != fuzz.is_some()
            || (candidate.is_err() && job.name != "packaging")
        {
            continue;
        }
        let order = Order {
            job: job.name.into(),
            manifest: manifest.to_owned(),
            company: company.to_vec(),
            config: options.config.clone(),
            fuzz,
        };
        let remains = run_job(options, job, &order)?;
        verdicts.take(&remains);
        ran.push(job.name);
        if remains.ending != Ending::Exited(0) {
            stderr = remains.stderr;
        }
    }
    // Rules of jobs that none of the plugin's tables needs.
    let judged =
        |rule: &'static Rule| jobs::all().any(|job| ran.contains(&job.name) && job.rules.contains(&rule));
    if candidate.is_ok() && wanted.is_empty() && options.fuzz.is_none() {
        for rule in rules().filter(|rule| !COMMON.contains(rule) && !judged(rule)) {
            verdicts.add(rule, Outcome::Skipped, Some("none of the plugin's tables is concerned".into()));
        }
    }
    let id =
        candidate.as_ref().map_or_else(|_| manifest.display().to_string(), |plugin| plugin.id().to_owned());
    let shown = |rule: &&'static Rule| match (wanted.is_empty(), options.fuzz.is_some()) {
        (true, false) => true,
        // Random calls judge few rules; those that they broke are what matters.
        (true, true) => verdicts.of(rule).0 >= Outcome::Passed,
        (false, _) => wanted.contains(rule),
    };
    let rows = rules().filter(shown).map(|rule| {
        let (outcome, found) = verdicts.of(rule);
        (rule, outcome, found.to_vec())
    });
    Ok(PluginReport::new(id, manifest.to_owned(), rows.collect(), stderr, options.fuzz.map(|fuzz| fuzz.seed)))
}

fn run_job(options: &Options, job: &'static Job, order: &Order) -> Result<Remains, CheckError> {
    let folder = tempfile::tempdir().map_err(system("a temporary folder"))?;
    let path = folder.path().join("journal");
    let limit = Duration::from_secs(job.limit_s + order.fuzz.map_or(0, |(_, seconds)| seconds));
    let mut remains = Remains {
        job: job.name,
        // Alone, each of them is looked at by the other jobs.
        blamed: (job.rules == [&PKG_011] && order.company.len() > 1).then_some(&PKG_011),
        rules: job
            .rules
            .iter()
            .chain(COMMON)
            .copied()
            .filter(|rule| rule.severity == Severity::Must)
            .collect(),
        entries: Vec::new(),
        ending: Ending::Exited(0),
        stdout: Vec::new(),
        stderr: String::new(),
    };
    if options.in_process {
        run_here(job, order.clone(), path.clone()).map_err(system(path.display().to_string()))?;
    } else {
        let child = Command::new(&options.program)
            .arg(CHILD_ARGUMENT)
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own, which can be ended with all that the plugin started.
            .process_group(0)
            .spawn()
            .map_err(system(options.program.display().to_string()))?;
        attend(child, order, limit, &mut remains).map_err(system(format!("the job {}", job.name)))?;
    }
    remains.entries = journal::read(&path);
    Ok(remains)
}

/// Feeds the child, waits for its end or ends it, and keeps what it wrote.
fn attend(mut child: Child, order: &Order, limit: Duration, remains: &mut Remains) -> std::io::Result<()> {
    let until = Instant::now() + limit;
    let stdin = child.stdin.take();
    let text = serde_json::to_vec(order)?;
    if let Some(mut stdin) = stdin {
        // A child that ended at once closed its side; its status tells.
        let _ = stdin.write_all(&text);
    }
    let stdout = Pipe::read(child.stdout.take(), |kept| kept.truncate(KEPT_STDOUT));
    let stderr =
        Pipe::read(child.stderr.take(), |kept| drop(kept.drain(..kept.len().saturating_sub(KEPT_STDERR))));
    let group = Pid::from_child(&child);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if Instant::now() >= until {
            break None;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    // Whatever the plugin started in this group ends with it; the group exists as long as one of it does.
    let _ = kill_process_group(group, Signal::KILL);
    remains.ending = match status {
        Some(status) => match (status.code(), status.signal()) {
            (Some(code), _) => Ending::Exited(code),
            (None, signal) => Ending::Signalled(signal.unwrap_or(0)),
        },
        None => {
            child.wait()?;
            Ending::Killed(limit.as_secs())
        }
    };
    remains.stdout = stdout.take();
    remains.stderr = String::from_utf8_lossy(&stderr.take()).into_owned();
    Ok(())
}

/// A pipe that a thread empties all the time, so that the writer does not block.
struct Pipe {
    kept: Arc<Mutex<Vec<u8>>>,
    ended: mpsc::Receiver<()>,
}

impl Pipe {
    /// `cut` brings what is kept under its limit.
    fn read(pipe: Option<impl Read + Send + 'static>, cut: fn(&mut Vec<u8>)) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let (end, ended) = mpsc::channel();
        let shared = Arc::clone(&kept);
        std::thread::spawn(move || {
            let mut pipe = pipe;
            let mut chunk = [0; 4096];
            while let Some(len) =
                pipe.as_mut().and_then(|pipe| pipe.read(&mut chunk).ok()).filter(|len| *len > 0)
            {
                let mut kept = shared.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(&chunk[..len]);
                cut(&mut kept);
            }
            let _ = end.send(());
        });
        Self { kept, ended }
    }

    /// What came. Processes outside of the child's group may hold the pipe open: after a while, what is there is enough.
    fn take(&self) -> Vec<u8> {
        let _ = self.ended.recv_timeout(Duration::from_secs(2));
        std::mem::take(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
