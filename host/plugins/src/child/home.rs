//! What a child is made of, so that it can be made again after its end.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use super::{limits::Limits, link::Link, options::ChildOptions, process::Launch, sandbox::Profile};
use crate::{Candidate, HostServices, Offer, PluginError, Policy, StartError, refusal::one_line};

/// A child for one plugin, or for those of a group, whether it runs or not.
#[derive(Debug)]
pub(crate) struct Home {
    options: ChildOptions,
    policy: Policy,
    label: String,
    members: Vec<String>,
    profile: Profile,
    running: Mutex<Option<Arc<Link>>>,
}

/// A plugin of a [`Home`].
#[derive(Clone, Debug)]
pub(crate) struct ChildPlugin {
    home: Arc<Home>,
    candidate: Candidate,
    offers: Arc<[Offer]>,
}

impl Home {
    /// A child for these plugins, which is not started yet.
    pub(crate) fn new(policy: &Policy, members: &[&Candidate]) -> Arc<Self> {
        let profiles =
            members.iter().map(|candidate| Profile::of(candidate.manifest(), &library_folder(candidate)));
        let profile = profiles.reduce(Profile::join).unwrap_or_default();
        let members: Vec<String> = members.iter().map(|candidate| candidate.id().to_owned()).collect();
        Arc::new(Self {
            options: policy.isolation.children.clone(),
            policy: policy.clone(),
            label: members.join(","),
            members,
            profile,
            running: Mutex::default(),
        })
    }

    /// True when it was made for this plugin too: what its process may do, and for whom it speaks, is as its members were
    /// when it was made.
    pub(crate) fn houses(&self, candidate: &Candidate) -> bool {
        self.members.iter().any(|member| member == candidate.id())
            && self.profile.folders.contains(&library_folder(candidate))
    }

    /// The plugins' ids.
    pub(crate) fn members(&self) -> &[String] {
        &self.members
    }

    /// The running child; starts one when there is none, or when it has ended.
    fn link(&self, services: &HostServices, candidate: &Candidate) -> Result<Arc<Link>, PluginError> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = running.as_ref().filter(|link| link.fault().is_none()) {
            return Ok(Arc::clone(link));
        }
        // The dead one first: its memory is not needed while the new one starts.
        *running = None;
        let label = self.label.clone();
        let launch = Launch {
            program: self.options.program.clone(),
            arguments: self.options.arguments.clone(),
            label: self.label.clone(),
            profile: self.profile.clone(),
            limits: if self.profile.is_wide() { Limits::wide() } else { Limits::narrow() },
            lines: Box::new(move |line| {
                tracing::info!(target: "selkies::plugin", plugin = label, "{line}");
            }),
        };
        let link = Link::start(launch, services, self.options.deadlines, self.members.clone());
        let link = link.map_err(|fault| {
            let version = candidate.manifest().version.as_str();
            fault.error(&services.account(candidate.id()), version, "lifecycle.init")
        })?;
        services.keep_informed(&link);
        Ok(Arc::clone(running.insert(link)))
    }
}

fn library_folder(candidate: &Candidate) -> PathBuf {
    let library = candidate.library_path();
    let library = library.canonicalize().unwrap_or(library);
    library.parent().map(Path::to_owned).unwrap_or_default()
}

impl ChildPlugin {
    /// Loads the plugin in its child, which is started if it does not run.
    ///
    /// # Errors
    /// The refusal or the failure, as in this process.
    pub(crate) fn start(
        services: &HostServices,
        home: Arc<Home>,
        candidate: &Candidate,
    ) -> Result<Self, StartError> {
        let candidate = candidate.clone();
        let mut plugin = Self { home, candidate, offers: Arc::default() };
        let (link, number, offers) = plugin.enter(services)?;
        drop((link, number));
        plugin.offers = offers.unwrap_or_default().into();
        let account = services.account(plugin.id());
        for refusal in plugin.offers.iter().filter_map(|offer| offer.refusal.as_ref()) {
            if !account.may_log() {
                break;
            }
            tracing::warn!(plugin = plugin.id(), "{}", one_line(&refusal.to_string()));
        }
        Ok(plugin)
    }

    /// The running child and the plugin's number in it.
    pub(crate) fn link(&self, services: &HostServices) -> Result<(Arc<Link>, u32), PluginError> {
        match self.enter(services) {
            Ok((link, number, _)) => Ok((link, number)),
            Err(StartError::Failed(error)) => Err(error),
            // Its files changed since the start.
            Err(StartError::Refused(refusal)) => {
                Err(PluginError::refused(&services.account(self.id()), &refusal))
            }
        }
    }

    #[allow(clippy::type_complexity, reason = "said in the function's name and used twice above")]
    fn enter(&self, services: &HostServices) -> Result<(Arc<Link>, u32, Option<Vec<Offer>>), StartError> {
        let link = self.home.link(services, &self.candidate)?;
        if let Some(number) = link.loaded(self.id()) {
            return Ok((link, number, None));
        }
        // The files are judged again, as they are for a plugin in this process; the child loads those or none.
        let judged = self.candidate.judged(&self.candidate.admit(&self.home.policy)?);
        let (number, offers) = link.load(services, &self.candidate, judged)?;
        Ok((link, number, offers))
    }

    pub(crate) fn id(&self) -> &str {
        self.candidate.id()
    }

    pub(crate) fn version(&self) -> &str {
        self.candidate.manifest().version.as_str()
    }

    pub(crate) fn candidate(&self) -> &Candidate {
        &self.candidate
    }

    pub(crate) fn offers(&self) -> &[Offer] {
        &self.offers
    }

    /// Ids of the plugins with which it shares its process, itself among them.
    pub(crate) fn members(&self) -> &[String] {
        self.home.members()
    }
}
