//! A moving test picture.
