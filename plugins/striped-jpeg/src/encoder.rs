//! The encoder: frames and damage in, packets of changed stripes out.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{
    coder::Coder,
    damage::Damage,
    output::{Output, SubmitError},
    picture::{Picture, PictureError},
    pool::Pool,
    settings::{Settings, SettingsError},
    stripe::{Request, Stripe, Tally, Task},
};

/// Pixels to encode for each further thread that is woken. They take about 0.2 ms; to wake a thread costs the machine
/// 15 µs, which less work does not repay.
const PIXELS_PER_HELPER: usize = 128 * 1024;

/// How a frame is to be encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// What changed.
    #[default]
    Changes,
    /// Everything.
    Keyframe,
    /// The frame is the one before; repeat what rests at the higher quality. Damage is not looked at.
    Refine,
}

/// What a submit did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Submitted {
    /// Packets committed.
    pub packets: u32,
    /// Their bytes.
    pub bytes: u64,
    /// When to submit the frame again with [`Order::Refine`] if nothing changes, nanoseconds; 0 for never. A time that
    /// has passed means that there is more to repeat than one submit may.
    pub refine_at_ns: u64,
}

/// An encoder for frames of one size. One thread at a time; it has further threads of its own.
#[derive(Debug)]
pub struct StripedEncoder {
    settings: Settings,
    stripes: Vec<Mutex<Stripe>>,
    /// One per worker.
    coders: Vec<Mutex<Coder>>,
    pool: Pool,
    /// Stripes of the current submit. Kept for its memory.
    jobs: Vec<Job>,
}

#[derive(Clone, Copy, Debug)]
struct Job {
    stripe: usize,
    request: Request,
}

/// What a submit's jobs did together.
struct Total<E> {
    tally: Tally,
    error: Option<SubmitError<E>>,
}

impl StripedEncoder {
    /// Makes an encoder and its threads.
    ///
    /// # Errors
    /// [`SettingsError`] when a setting is out of its range.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        settings.check()?;
        let pool = Pool::new(settings.threads);
        Ok(Self { stripes: stripes(&settings), coders: Vec::new(), pool, jobs: Vec::new(), settings })
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Changes settings between frames. After a change of size, stripes or chroma the next frame is sent whole.
    ///
    /// # Errors
    /// [`SettingsError`] when a setting is out of its range; the old ones stay in force.
    pub fn configure(&mut self, settings: Settings) -> Result<(), SettingsError> {
        settings.check()?;
        let shape = |s: &Settings| (s.width, s.height, s.stripe_height, s.chroma);
        if shape(&settings) != shape(&self.settings) {
            self.stripes = stripes(&settings);
        }
        if settings.threads != self.settings.threads {
            self.pool = Pool::new(settings.threads);
        }
        self.settings = settings;
        Ok(())
    }

    /// Sets the quality of changed content, 1 to 100, from the next frame on. Nothing is sent for it alone.
    ///
    /// # Errors
    /// [`SettingsError`] when it is out of range.
    pub fn set_quality(&mut self, quality: u8) -> Result<(), SettingsError> {
        self.configure(Settings { quality, ..self.settings.clone() })
    }

    /// Encodes a frame; every packet is committed when it returns. `now_ns` counts from any point and never back;
    /// `damage` is what changed since the picture of the submit before, whatever became of that. The first frame is
    /// always sent whole.
    ///
    /// # Errors
    /// [`SubmitError`]. The next submit makes up for what this one did not send.
    pub fn submit<O: Output>(
        &mut self,
        picture: &Picture<'_>,
        damage: Damage<'_>,
        order: Order,
        now_ns: u64,
        output: &O,
    ) -> Result<Submitted, SubmitError<O::Error>> {
        let settings = &self.settings;
        if (picture.width(), picture.height()) != (settings.width, settings.height) {
            return Err(SubmitError::Picture(PictureError::OtherSize {
                found_width: picture.width(),
                found_height: picture.height(),
                width: settings.width,
                height: settings.height,
            }));
        }
        while self.coders.len() < self.pool.workers() {
            let coder = Coder::new().map_err(|error| SubmitError::Codec(error.to_string()))?;
            self.coders.push(Mutex::new(coder));
        }
        if order != Order::Refine {
            self.touch(damage);
        }
        let rows = self.plan(order, now_ns);
        let helpers = rows as usize * picture.width() as usize / PIXELS_PER_HELPER;

        let task =
            Task { picture, settings: &self.settings, output, now_ns, keyframe: order == Order::Keyframe };
        let total = Mutex::new(Total { tally: Tally::default(), error: None });
        let (stripes, coders, jobs) = (&self.stripes, &self.coders, &self.jobs);
        self.pool.run(jobs.len(), helpers, &|worker, job| {
            let job = jobs[job];
            let result = lock(&stripes[job.stripe]).encode(&task, job.request, &mut lock(&coders[worker]));
            let mut total = lock(&total);
            match result {
                Ok(tally) => {
                    total.tally.packets += tally.packets;
                    total.tally.bytes += tally.bytes;
                }
                Err(error) => {
                    total.error.get_or_insert(error);
                }
            }
        });
        let total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
        match total.error {
            Some(error) => Err(error),
            None => Ok(Submitted {
                packets: total.tally.packets,
                bytes: total.tally.bytes,
                refine_at_ns: self.refine_at_ns(),
            }),
        }
    }

    fn touch(&mut self, damage: Damage<'_>) {
        let (width, height, stripe_height) =
            (self.settings.width, self.settings.height, self.settings.stripe_height);
        let mut touch = |first: u32, end: u32| {
            for stripe in first / stripe_height..end.div_ceil(stripe_height) {
                get(&mut self.stripes[stripe as usize]).touch(first, end);
            }
        };
        match damage {
            Damage::Full => touch(0, height),
            Damage::Areas(areas) => {
                areas
                    .iter()
                    .filter_map(|area| area.rows(width, height))
                    .for_each(|(first, end)| touch(first, end));
            }
        }
    }

    /// Fills `jobs`: stripes with changes first, then those that are repeated, so that these delay nothing. Answers how
    /// many rows that is about.
    fn plan(&mut self, order: Order, now_ns: u64) -> u32 {
        let all = order == Order::Keyframe || (self.settings.ignore_damage && order == Order::Changes);
        self.jobs.clear();
        let mut planned = 0;
        for (index, stripe) in self.stripes.iter_mut().enumerate() {
            let stripe = get(stripe);
            let rows = if all { stripe.rows() } else { stripe.waiting_rows() };
            if rows > 0 {
                planned += rows;
                self.jobs.push(Job { stripe: index, request: Request { all, refine: false } });
            }
        }
        if all {
            return planned;
        }
        // Beside a change there is room for one: a still picture beside a film gets better too, only slower.
        let changes = self.jobs.len();
        let mut budget = if changes == 0 { self.settings.refine_stripes } else { 1 };
        let mut next = 0;
        for (index, stripe) in self.stripes.iter_mut().enumerate() {
            let stripe = get(stripe);
            let changed = next < changes && self.jobs[next].stripe == index;
            if budget > 0 && stripe.rests_at_ns(&self.settings).is_some_and(|at| at <= now_ns) {
                budget -= 1;
                planned += stripe.rows();
                if changed {
                    self.jobs[next].request.refine = true;
                } else {
                    self.jobs.push(Job { stripe: index, request: Request { all, refine: true } });
                }
            }
            next += usize::from(changed);
        }
        planned
    }

    fn refine_at_ns(&mut self) -> u64 {
        let settings = &self.settings;
        // 0 means never, so the start of time counts as 1.
        self.stripes
            .iter_mut()
            .filter_map(|stripe| get(stripe).rests_at_ns(settings))
            .min()
            .map_or(0, |at| at.max(1))
    }
}

fn stripes(settings: &Settings) -> Vec<Mutex<Stripe>> {
    let (height, step) = (settings.height, settings.stripe_height);
    (0..height.div_ceil(step))
        .map(|index| Mutex::new(Stripe::new(index * step, step.min(height - index * step))))
        .collect()
}

/// After a panic in a worker, which `submit` passes on, a keyframe makes up for whatever the stripe lost.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn get<T>(mutex: &mut Mutex<T>) -> &mut T {
    mutex.get_mut().unwrap_or_else(PoisonError::into_inner)
}
