//! The microphone: what a page records, into a source that applications of the desktop record from.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{Builder, JoinHandle},
    time::{Duration, Instant},
};

use selkies_plugin_abi::ids;
use selkies_plugin_host::{
    AudioBlock, AudioFormat, AudioSinkInstance, AudioSinkRequest, FaultClass, HostServices, Plugin,
    PluginError,
};
use selkies_session::fallback::BackOff;
use tracing::{info, warn};

use crate::{Backend, Observer, SoundError, gate::Gate, slot::Slot};

/// The rate of the samples that pages send, Hz; mono.
pub const MICROPHONE_RATE: u32 = 24_000;

/// Samples that may wait for the thread; the oldest are dropped: a second.
const MAX_WAITING: usize = MICROPHONE_RATE as usize;
/// Samples of one write to the plugin: 40 ms.
const MAX_BLOCK: usize = MICROPHONE_RATE as usize / 25;
/// Without samples for so long, playing ends; the source stays.
const IDLE: Duration = Duration::from_secs(5);
/// Pauses before a lost server is asked again.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The way into the microphone. Its thread makes the source with the first samples and removes it in the end. Dropping it
/// ends it.
pub struct Microphone {
    desk: Arc<Desk>,
    gate: Arc<Gate>,
    slot: Arc<Slot>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Microphone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Microphone").finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Desk {
    board: Mutex<Board>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Board {
    samples: VecDeque<i16>,
    /// Samples were dropped before the first of these.
    gap: bool,
    closes: bool,
    stopped: bool,
}

/// What the thread is to do.
#[derive(Debug, PartialEq)]
enum Next {
    Play { samples: Vec<i16>, gap: bool },
    Close,
    Stop,
}

impl Desk {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, samples: &[i16]) {
        if samples.is_empty() {
            return;
        }
        let mut board = self.board();
        board.samples.extend(&samples[samples.len().saturating_sub(MAX_WAITING)..]);
        let over = board.samples.len().saturating_sub(MAX_WAITING);
        board.gap |= over > 0 || samples.len() > MAX_WAITING;
        board.samples.drain(..over);
        self.changed.notify_all();
    }

    fn close(&self) {
        let mut board = self.board();
        board.samples.clear();
        board.closes = true;
        self.changed.notify_all();
    }

    fn stop(&self) {
        self.board().stopped = true;
        self.changed.notify_all();
    }

    /// Waits for samples; `Close` when there are none for `idle`, or it was asked for.
    fn next(&self, idle: Option<Duration>) -> Next {
        let waits = |board: &mut Board| board.samples.is_empty() && !board.closes && !board.stopped;
        let mut board = match idle {
            None => self.changed.wait_while(self.board(), waits).unwrap_or_else(PoisonError::into_inner),
            Some(idle) => {
                let waited = self.changed.wait_timeout_while(self.board(), idle, waits);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        if board.stopped {
            return Next::Stop;
        }
        if std::mem::take(&mut board.closes) || board.samples.is_empty() {
            return Next::Close;
        }
        let count = board.samples.len().min(MAX_BLOCK);
        let gap = std::mem::take(&mut board.gap);
        Next::Play { samples: board.samples.drain(..count).collect(), gap }
    }
}

impl Microphone {
    /// Starts the thread, which rests until there are samples.
    ///
    /// # Errors
    /// [`SoundError`]; nothing runs then.
    pub fn start(
        backend: Backend,
        services: HostServices,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, SoundError> {
        if !backend.plugin.offers(ids::AUDIO_SINK_V1) {
            return Err(SoundError::WrongPart(backend.lacks(ids::AUDIO_SINK_V1)));
        }
        let desk = Arc::new(Desk::default());
        let gate = Arc::new(Gate::new(observer));
        let slot = Arc::new(Slot::new(backend));
        let player = Player {
            desk: desk.clone(),
            gate: gate.clone(),
            slot: slot.clone(),
            services,
            sink: None,
            seen: 0,
            pauses: BackOff::new(FIRST_PAUSE, LONGEST_PAUSE),
            retry_at: None,
            said: false,
        };
        let thread = Builder::new().name("microphone".into()).spawn(move || player.run());
        Ok(Self { desk, gate, slot, thread: Some(thread.map_err(SoundError::Thread)?) })
    }

    /// Plays mono samples at [`MICROPHONE_RATE`], after those before. Any thread; does not block. Of what a lost or slow
    /// server does not take, the newest second is kept.
    pub fn write(&self, samples: &[i16]) {
        self.desk.write(samples);
    }

    /// Ends playing now, and not five seconds after the last samples. Any thread; does not block.
    pub fn close(&self) {
        self.desk.close();
    }

    /// Lets the plugin be used again if a fault barred it.
    pub fn admit(&self, plugin: &str) {
        if self.gate.admit(plugin) {
            self.slot.admit(plugin);
        }
    }

    /// Takes a new version of the plugin into use, from the next samples on. Answers in how many places that is.
    pub fn renew(&self, plugin: &Plugin) -> usize {
        self.gate.admit(plugin.id());
        usize::from(self.slot.renew(plugin))
    }
}

impl Drop for Microphone {
    fn drop(&mut self) {
        self.desk.stop();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            warn!("the thread of the microphone ended by a panic");
        }
    }
}

/// The thread's own.
struct Player {
    desk: Arc<Desk>,
    gate: Arc<Gate>,
    slot: Arc<Slot>,
    services: HostServices,
    sink: Option<Playing>,
    seen: u64,
    pauses: BackOff,
    retry_at: Option<Instant>,
    /// That it does not work was logged.
    said: bool,
}

struct Playing {
    backend: Backend,
    instance: AudioSinkInstance,
    started: bool,
}

impl Player {
    fn run(mut self) {
        loop {
            let playing = self.sink.as_ref().is_some_and(|sink| sink.started);
            match self.desk.next(playing.then_some(IDLE)) {
                Next::Stop => return,
                Next::Close => self.rest(),
                Next::Play { samples, gap } => self.play(&samples, gap),
            }
        }
    }

    fn rest(&mut self) {
        let Some(sink) = self.sink.as_mut().filter(|sink| sink.started) else { return };
        sink.started = false;
        if let Err(error) = sink.instance.stop() {
            self.failed(&error);
        }
    }

    fn play(&mut self, samples: &[i16], gap: bool) {
        if self.slot.renewed(&mut self.seen) {
            if self.sink.as_ref().is_some_and(|sink| !self.slot.holds(&sink.backend)) {
                self.sink = None;
            }
            (self.retry_at, self.said) = (None, false);
            self.pauses.worked();
        }
        // Until then, what is said is lost.
        if self.retry_at.is_some_and(|at| at > Instant::now()) {
            return;
        }
        let samples = samples.iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
        if let Err(error) = self.try_play(AudioBlock { samples, timestamp_ns: 0, gap }) {
            self.failed(&error);
        }
    }

    fn try_play(&mut self, block: AudioBlock) -> Result<(), PluginError> {
        let sink = match &mut self.sink {
            Some(sink) => sink,
            none => {
                let backend = self.slot.get();
                if self.gate.bars(backend.plugin.id()) {
                    return Ok(());
                }
                let instance = match AudioSinkInstance::create(&backend.origin(&self.services)) {
                    Ok(instance) => instance,
                    Err(error) => {
                        // No sound server is no plugin's fault.
                        if error.class != FaultClass::DeviceLost {
                            self.gate.report_from(&self.slot, &error, "audio-sink", &backend);
                        }
                        return Err(error);
                    }
                };
                none.insert(Playing { backend, instance, started: false })
            }
        };
        if !sink.started {
            let format = AudioFormat::mono(MICROPHONE_RATE);
            sink.instance.start(&AudioSinkRequest { format, buffer: None })?;
            sink.started = true;
        }
        sink.instance.write(&block)?;
        self.pauses.worked();
        if std::mem::take(&mut self.said) {
            info!("the microphone works again");
        }
        Ok(())
    }

    /// After an error the instance is made anew, unless it can go on.
    fn failed(&mut self, error: &PluginError) {
        if let Some(sink) = self.sink.take() {
            if !error.is_final() {
                self.sink = Some(sink);
            } else if error.class != FaultClass::DeviceLost {
                self.gate.report_from(&self.slot, error, "audio-sink", &sink.backend);
            }
        }
        if !std::mem::replace(&mut self.said, true) {
            warn!("no microphone: {error}");
        }
        self.retry_at = Some(Instant::now() + self.pauses.failed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play(samples: &[i16], gap: bool) -> Next {
        Next::Play { samples: samples.to_vec(), gap }
    }

    #[test]
    fn samples_wait_in_order_and_the_oldest_go() {
        let desk = Desk::default();
        desk.write(&[1, 2]);
        desk.write(&[]);
        desk.write(&[3]);
        assert_eq!(desk.next(None), play(&[1, 2, 3], false));
        desk.write(&[1]);
        desk.write(&vec![2; MAX_WAITING]);
        assert_eq!(desk.next(None), play(&[2; MAX_BLOCK], true));
        assert_eq!(desk.next(None), play(&[2; MAX_BLOCK], false));
        desk.close();
        assert_eq!(desk.next(None), Next::Close);
        assert_eq!(desk.next(Some(Duration::from_millis(1))), Next::Close, "nothing came");
        desk.write(&[4]);
        desk.stop();
        assert_eq!(desk.next(None), Next::Stop);
    }
}
