//! One packet per frame: its number, the sum of its bytes, the quality.

use selkies_plugin_sdk::{
    Completion, Encoder, EncoderCaps, EncoderParams, EncoderRate, Error, FrameRef, Host, PacketInfo, PacketSink,
    Progress, Rate, Result, Submit, abi,
};

use crate::Config;

const MAX_EDGE: u32 = 4096;
const PAYLOAD: usize = 24;

#[derive(Debug)]
pub struct Summing {
    host: Host,
    packets: PacketSink,
    quality: u32,
}

impl Encoder for Summing {
    type Config = Config;

    fn probe(_: Host, _: Config) -> Result<Vec<EncoderCaps>> {
        Ok(vec![EncoderCaps {
            name: "kept".into(),
            flags: abi::ENCODER_INTRA_ONLY,
            codec: abi::CODEC_NULL,
            memory_mask: 1 << abi::MEMORY_CPU | 1 << abi::MEMORY_MEMFD,
            fourccs: vec![abi::FOURCC_XRGB8888],
            chroma_mask: abi::CHROMA_444,
            rate_mask: 1 << abi::RATE_QUALITY,
            depth: 1,
            max_retained: 0,
            max_width: MAX_EDGE,
            max_height: MAX_EDGE,
            quality_min: 1,
            quality_max: 100,
            bit_depth_mask: 1 << 8,
        }])
    }

    fn create(host: Host, _: Config, params: &EncoderParams, packets: PacketSink, _: Completion) -> Result<Self> {
        let mut encoder = Self { host, packets, quality: 0 };
        encoder.configure(params)?;
        tracing::info!(kept = 1, "kept plugin begins");
        Ok(encoder)
    }

    fn configure(&mut self, params: &EncoderParams) -> Result<()> {
        if params.width > MAX_EDGE || params.height > MAX_EDGE || params.codec != abi::CODEC_NULL {
            return Err(Error::reconfigure("not these"));
        }
        self.quality = params.quality;
        Ok(())
    }

    fn submit(&mut self, frame: FrameRef<'_>, _: Submit<'_>) -> Result<Progress> {
        let (bytes, stride) = frame.plane(0)?;
        let rows = bytes.chunks(stride).take(frame.height() as usize);
        let sum: u64 = rows.flat_map(|row| &row[..frame.width() as usize * 4]).map(|byte| u64::from(*byte)).sum();
        // One slab too many, to give it back.
        drop(self.packets.slab(1)?);
        let mut slab = self.packets.slab(PAYLOAD)?;
        slab[..8].copy_from_slice(&frame.frame_id().to_le_bytes());
        slab[8..16].copy_from_slice(&sum.to_le_bytes());
        slab[16..PAYLOAD].copy_from_slice(&u64::from(self.quality).to_le_bytes());
        slab.commit(
            PAYLOAD,
            PacketInfo {
                codec: abi::CODEC_NULL,
                flags: abi::PACKET_KEY | abi::PACKET_INTRA | abi::PACKET_LAST,
                layer: 0,
                frame_id: frame.frame_id(),
                reference_frame_id: 0,
                timestamp_ns: frame.timestamp_ns(),
                duration_ns: 0,
                area: abi::Rect { x: 0, y: 0, width: frame.width(), height: frame.height() },
            },
        )?;
        self.host.count("frames", 1);
        self.host.gauge("quality", f64::from(self.quality));
        Ok(Progress::Done { refine_at_ns: None })
    }
}

impl EncoderRate for Summing {
    fn set_rate(&mut self, rate: Rate) -> Result<()> {
        self.quality = rate.quality.unwrap_or(self.quality);
        Ok(())
    }
}
