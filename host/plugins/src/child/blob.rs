//! Bytes in messages, written and read as a whole.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};

/// Many bytes. (serde takes a `Vec<u8>` for a list of numbers, one call each.)
#[derive(Clone, PartialEq, Eq)]
pub struct Blob(pub Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Blob;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(bytes.to_vec()))
            }
        }
        from.deserialize_bytes(Bytes)
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::wire, *};

    #[test]
    fn bytes_come_back() {
        let blob = Blob((0..=255).cycle().take(100_000).collect());
        let mut message = Vec::new();
        wire::encode_long(&blob, &mut message).unwrap();
        assert!(message.len() < 100_010, "{}", message.len());
        assert_eq!(wire::decode::<Blob>(&message).unwrap(), blob);
        assert!(wire::decode::<Blob>(&message[..50]).is_err());
    }
}
