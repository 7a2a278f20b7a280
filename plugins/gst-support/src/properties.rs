//! Setting properties of elements by name.

use gst::{glib, prelude::*};
use gstreamer as gst;
use selkies_plugin_sdk::{Error, Result};

use crate::{
    Description, Property, Tuning,
    request::{Control, Request},
};

/// How a property took a text.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Set,
    /// The element has no such property, or it cannot be written any more.
    Absent,
    /// It has the property, and the text means nothing to it.
    Meaningless,
}

/// Brings a new element up to a request.
///
/// # Errors
/// [`Error::unsupported`] when it lacks what low latency needs; [`Error::config`] for an operator's property.
pub(crate) fn prepare(
    element: &gst::Element,
    what: &Description,
    request: &Request,
    tuning: &Tuning,
) -> Result<()> {
    apply(element, what.common, request)?;
    apply(element, what.fixed, request)?;
    control(element, what, request)?;
    for (name, text) in &tuning.properties {
        let problem = match set(element, name, text) {
            Outcome::Set => continue,
            Outcome::Absent => "has no such property",
            Outcome::Meaningless => "cannot be set to it",
        };
        return Err(Error::config(format!(
            "property {name:?} = {text:?}: the element {} {problem}; `gst-inspect-1.0 {0}` lists what it takes",
            factory_name(element)
        )));
    }
    Ok(())
}

/// Sets what a request's rate control asks for, also while the element runs.
///
/// # Errors
/// As [`prepare`].
pub(crate) fn control(element: &gst::Element, what: &Description, request: &Request) -> Result<()> {
    match request.control {
        Control::Quality(_) => apply(element, what.quality.properties, request),
        Control::Bitrate(_) => apply(element, what.bitrate, request),
    }
}

/// Sets those that the element has.
///
/// # Errors
/// As [`prepare`].
pub(crate) fn apply(element: &gst::Element, properties: &[Property], request: &Request) -> Result<()> {
    let factory = factory_name(element);
    for property in properties {
        let filled: Vec<String> = property.values.iter().filter_map(|value| request.fill(value)).collect();
        if filled.is_empty() {
            continue;
        }
        let is_set = filled.iter().any(|text| set(element, property.name, text) == Outcome::Set);
        let other = !property.instead.is_empty() && element.find_property(property.instead).is_some();
        if !is_set && property.needed && !other {
            return Err(Error::unsupported(format!(
                "the element {factory} of GStreamer {} does not take {} = {}, without which frames would wait",
                gst::version_string(),
                property.name,
                filled.join(" or ")
            )));
        }
        if !is_set && !other {
            tracing::debug!(element = %factory, property = property.name, "not set: the element does not have it");
        }
    }
    Ok(())
}

/// Name of the kind of an element.
pub(crate) fn factory_name(element: &gst::Element) -> String {
    element.factory().map_or_else(|| element.type_().name().to_owned(), |factory| factory.name().to_string())
}

/// Sets a property to what a text means. Numbers are brought into the property's range.
fn set(element: &gst::Element, name: &str, text: &str) -> Outcome {
    let Some(known) = element.find_property(name) else { return Outcome::Absent };
    let flags = known.flags();
    if !flags.contains(glib::ParamFlags::WRITABLE) || flags.contains(glib::ParamFlags::CONSTRUCT_ONLY) {
        return Outcome::Absent;
    }
    let text = within(&known, text).unwrap_or_else(|| text.to_owned());
    match glib::Value::deserialize(&text, known.value_type()) {
        Ok(value) if value.type_() == known.value_type() => {
            element.set_property_from_value(name, &value);
            Outcome::Set
        }
        _ => Outcome::Meaningless,
    }
}

/// True when a property takes a text.
#[cfg(feature = "testing")]
pub(crate) fn takes(element: &gst::Element, name: &str, text: &str) -> bool {
    set(element, name, text) == Outcome::Set
}

/// A whole number in the range of a numeric property.
fn within(known: &glib::ParamSpec, text: &str) -> Option<String> {
    let number: i128 = text.parse().ok()?;
    let bound = |low: i128, high: i128| Some(number.clamp(low, high).to_string());
    if let Some(spec) = known.downcast_ref::<glib::ParamSpecInt>() {
        bound(spec.minimum().into(), spec.maximum().into())
    } else if let Some(spec) = known.downcast_ref::<glib::ParamSpecUInt>() {
        bound(spec.minimum().into(), spec.maximum().into())
    } else if let Some(spec) = known.downcast_ref::<glib::ParamSpecInt64>() {
        bound(spec.minimum().into(), spec.maximum().into())
    } else if let Some(spec) = known.downcast_ref::<glib::ParamSpecUInt64>() {
        bound(spec.minimum().into(), spec.maximum().into())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_values_of_the_propertys_kind() {
        gst::init().expect("GStreamer");
        let element = gst::ElementFactory::make("queue").build().expect("a core element");
        assert_eq!(set(&element, "max-size-buffers", "7"), Outcome::Set);
        assert_eq!(element.property::<u32>("max-size-buffers"), 7);
        // Out of range is brought into it, a nick is understood, nonsense is refused.
        assert_eq!(set(&element, "max-size-buffers", "99999999999"), Outcome::Set);
        assert_eq!(element.property::<u32>("max-size-buffers"), u32::MAX);
        assert_eq!(set(&element, "leaky", "downstream"), Outcome::Set);
        assert_eq!(set(&element, "leaky", "sideways"), Outcome::Meaningless);
        assert_eq!(set(&element, "silent", "perhaps"), Outcome::Meaningless);
        assert_eq!(set(&element, "no-such-property", "1"), Outcome::Absent);
        assert_eq!(set(&element, "current-level-time", "1"), Outcome::Absent);
    }
}
