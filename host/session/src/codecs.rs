//! The video codecs of the wire, by the names that pages and encoders use, and sets of them.

/// A codec of video packets. On the wire it is the upper nibble of the second header byte, see the WebSocket transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// Pictures that stand alone; every page decodes them.
    Jpeg,
    /// H.264.
    H264,
    /// H.265.
    H265,
    /// VP8.
    Vp8,
    /// VP9.
    Vp9,
    /// AV1.
    Av1,
}

impl Codec {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Jpeg, Self::H264, Self::H265, Self::Vp8, Self::Vp9, Self::Av1];

    /// Its name in `_codecs`: the one that 2.1.0's page gives it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::H264 => "h264",
            Self::H265 => "h265",
            Self::Vp8 => "vp8",
            Self::Vp9 => "vp9",
            Self::Av1 => "av1",
        }
    }

    /// The codec of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }

    /// The codec that a page means which asks for an encoder by one of 2.1.0's names, `vp9enc` and the like.
    #[must_use]
    pub fn of_encoder(name: &str) -> Option<Self> {
        let codec = name.strip_suffix("-striped").unwrap_or(name);
        Self::from_name(codec.strip_suffix("enc").unwrap_or(codec))
    }
}

/// A set of codecs, and whether their pictures may come in stripes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Codecs {
    set: u8,
    whole: bool,
}

impl Codecs {
    /// No codec.
    pub const NONE: Self = Self { set: 0, whole: false };
    /// What every page of 2.1.0 decodes that says nothing of it.
    pub const STOCK: Self = Self::NONE.with(Codec::Jpeg).with(Codec::H264);

    /// This set and one more codec.
    #[must_use]
    pub const fn with(self, codec: Codec) -> Self {
        Self { set: self.set | 1 << codec as u8, whole: self.whole }
    }

    /// The same codecs, in whole frames only: what a transport asks for that carries no stripes.
    #[must_use]
    pub const fn in_whole_frames(self) -> Self {
        Self { set: self.set, whole: true }
    }

    /// Whether frames of this codec can be taken, `striped` or whole.
    #[must_use]
    pub const fn takes(self, codec: Codec, striped: bool) -> bool {
        self.contains(codec) && !(striped && self.whole)
    }

    /// Whether it is one of them.
    #[must_use]
    pub const fn contains(self, codec: Codec) -> bool {
        self.set & (1 << codec as u8) != 0
    }

    /// The codecs, in the order of [`Codec::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Codec> {
        Codec::ALL.into_iter().filter(move |&codec| self.contains(codec))
    }
}

impl FromIterator<Codec> for Codecs {
    fn from_iter<I: IntoIterator<Item = Codec>>(codecs: I) -> Self {
        codecs.into_iter().fold(Self::NONE, Self::with)
    }
}

impl std::fmt::Debug for Codecs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()?;
        f.write_str(if self.whole { " in whole frames" } else { "" })
    }
}

/// `jpeg, h264`; `h264 in whole frames`.
impl std::fmt::Display for Codecs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.iter().map(Codec::name).collect();
        f.write_str(&names.join(", "))?;
        f.write_str(if self.whole { " in whole frames" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_codecs() {
        for codec in Codec::ALL {
            assert_eq!(Codec::from_name(codec.name()), Some(codec));
        }
        for (name, codec) in [
            ("jpeg", Some(Codec::Jpeg)),
            ("h264enc", Some(Codec::H264)),
            ("h264enc-striped", Some(Codec::H264)),
            ("h265enc", Some(Codec::H265)),
            ("vp9enc", Some(Codec::Vp9)),
            ("x264enc", None),
            ("", None),
        ] {
            assert_eq!(Codec::of_encoder(name), codec, "{name}");
        }
    }

    #[test]
    fn stripes_are_taken_unless_whole_frames_are_asked_for() {
        let set = Codecs::STOCK;
        assert!(set.takes(Codec::H264, true) && set.takes(Codec::H264, false));
        let whole = set.in_whole_frames();
        assert!(!whole.takes(Codec::H264, true) && whole.takes(Codec::H264, false));
        assert!(!whole.takes(Codec::Vp8, false));
        assert_ne!(set, whole);
    }

    #[test]
    fn a_set_has_what_was_put_in() {
        let set: Codecs = [Codec::Av1, Codec::Jpeg].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [Codec::Jpeg, Codec::Av1]);
        assert_eq!((set.to_string(), set == Codecs::STOCK), ("jpeg, av1".to_owned(), false));
    }
}
