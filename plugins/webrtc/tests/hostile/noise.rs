//! The same noise in every run: datagrams that look like those of ICE, DTLS, SRTP and RTCP, and some that look like nothing.

/// A generator.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }

    /// Changes a few bytes, and sometimes the length.
    fn mutate(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        for _ in 0..self.below(8) {
            if !bytes.is_empty() {
                let at = self.below(bytes.len());
                bytes[at] = self.next() as u8;
            }
        }
        match self.below(8) {
            0 => bytes.truncate(self.below(bytes.len() + 1)),
            1 => {
                let more = self.below(1400);
                bytes.extend(self.bytes(more));
            }
            _ => {}
        }
        bytes
    }

    /// A binding request, response or indication (RFC 8489, 5) with attributes whose lengths lie.
    fn stun(&mut self) -> Vec<u8> {
        let mut attributes = Vec::new();
        for _ in 0..self.below(6) {
            let kinds = [0x0006_u16, 0x0008, 0x0020, 0x0024, 0x0025, 0x8028, 0x8029, 0x802a, 0x0009, 0x7fff];
            let (kind, len) = (kinds[self.below(kinds.len())], self.below(40));
            attributes.extend(kind.to_be_bytes());
            let told = if self.below(4) == 0 { self.next() as u16 } else { len as u16 };
            attributes.extend(told.to_be_bytes());
            attributes.extend(self.bytes(len.next_multiple_of(4)));
        }
        let kinds = [0x0001_u16, 0x0101, 0x0111, 0x0011, 0x0003, 0x0017];
        let mut message = kinds[self.below(kinds.len())].to_be_bytes().to_vec();
        message.extend((attributes.len() as u16).to_be_bytes());
        message.extend(0x2112_a442_u32.to_be_bytes());
        message.extend(self.bytes(12));
        message.extend(attributes);
        message
    }

    /// A record of DTLS 1.2 (RFC 6347, 4.1): a hello, an alert, or what looks like data.
    fn dtls(&mut self) -> Vec<u8> {
        let len = self.below(600);
        let mut record = vec![[20, 21, 22, 23, 25][self.below(5)], 0xfe, [0xfd, 0xff][self.below(2)]];
        record.extend(self.bytes(8));
        record.extend((len as u16).to_be_bytes());
        record.extend(self.bytes(len));
        record
    }

    /// A header of RTP or RTCP, and noise behind it.
    fn rtp(&mut self) -> Vec<u8> {
        let mut packet = vec![0x80 | self.below(32) as u8, [96, 98, 111, 200, 201, 205, 206][self.below(7)]];
        let len = self.below(1200);
        packet.extend(self.bytes(len));
        packet
    }

    /// A datagram of one kind or another.
    pub(crate) fn datagram(&mut self) -> Vec<u8> {
        let datagram = match self.below(5) {
            0 => {
                let len = self.below(1500);
                self.bytes(len)
            }
            1 | 2 => self.stun(),
            3 => self.dtls(),
            _ => self.rtp(),
        };
        self.mutate(datagram)
    }

    fn feedback(&mut self, honest: &[u8], kind: u8, format: u8, body: &[u8]) -> Vec<u8> {
        let words = u16::try_from((body.len() + 8) / 4).expect("it is short");
        let mut packet = vec![0x80 | format, kind];
        packet.extend(words.to_be_bytes());
        // Mostly with the name by which the client is known.
        let sender = honest.get(4..8).filter(|_| self.below(8) > 0).map(<[u8]>::to_vec);
        packet.extend(sender.unwrap_or_else(|| self.bytes(4)));
        packet.extend(self.bytes(4));
        packet.extend(body);
        packet
    }

    /// What a client might report in place of `honest`.
    pub(crate) fn report(&mut self, honest: &[u8]) -> Vec<u8> {
        match self.below(6) {
            // A report on 65 535 packets in 12 bytes.
            0 => {
                let base = self.next() as u16;
                let head = [base.to_be_bytes(), [0xff, 0xff]].concat();
                let body = [&head[..], &[0, 0, 1, self.next() as u8, 0x1f, 0xff, 0x3f, 0xff]].concat();
                self.feedback(honest, 205, 15, &body)
            }
            // A transport-wide report of noise.
            1 => {
                let words = 2 + self.below(60);
                let body = self.bytes(4 * words);
                self.feedback(honest, 205, 15, &body)
            }
            // All packets of half a second are asked for.
            2 => {
                let words = 1 + self.below(80);
                let body: Vec<u8> =
                    (0..words).flat_map(|_| [self.next() as u8, self.next() as u8, 0xff, 0xff]).collect();
                self.feedback(honest, 205, 1, &body)
            }
            // The picture is lost.
            3 => self.feedback(honest, 206, 1, &[]),
            // The picture is lost, 100 times in one datagram.
            4 => (0..100).flat_map(|_| self.feedback(honest, 206, 4, &[0, 0, 0, 1, 7, 0, 0, 0])).collect(),
            _ => self.mutate(honest.to_vec()),
        }
    }
}
