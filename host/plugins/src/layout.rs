//! The layout records of Rust plugins: abi_stable as a bug detector for the tables, never as their type system.
//!
//! abi_stable's own way to load a root module compares crate versions, so that a plugin would be refused as soon as the
//! ABI crate gets a new version, although a published table never changes. Here only layouts count. Its
//! `load_from_*` functions are not used: they answer the first library for every later one.

use serde::Serialize;

#[cfg(feature = "verify")]
pub(crate) use compare::Records;

/// The data symbol that carries the records, as abi_stable 0.11 names it.
pub(crate) const SYMBOL: &str = "_1as_0lib_1header_0root_bmodule_bloader";

/// What the layout records of a library were good for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayoutCheck {
    /// Every table that is used was compared field by field.
    Compared,
    /// The library carries none (plugins in C and C++): checked by magic, epoch and size.
    NoRecords,
    /// The library carries records that this host cannot read: checked by magic, epoch and size.
    Unreadable(String),
    /// This host was built without the comparison.
    Disabled,
}

#[cfg(feature = "verify")]
mod compare {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use abi_stable::{
        StableAbi,
        abi_stability::abi_checking::{
            AbiInstability, AbiInstabilityError, ExpectedFound, check_layout_compatibility,
        },
        library::{AbiHeaderRef, LibHeader},
        std_types::ROption,
        type_layout::{TLFieldOrFunction, TypeLayout},
    };
    use selkies_plugin_abi::{
        Str,
        verify::{LayoutsRef, layout_of},
    };

    use crate::refusal::clip;

    /// The readable records of a library.
    #[derive(Clone, Copy)]
    pub(crate) struct Records(LayoutsRef);

    impl Records {
        /// Reads the records behind the symbol [`SYMBOL`](super::SYMBOL).
        ///
        /// # Errors
        /// Why they cannot be read, for people.
        pub(crate) fn read(header: AbiHeaderRef) -> Result<Self, String> {
            // Foreign records may be inconsistent in ways that abi_stable only finds by indexing.
            catch_unwind(AssertUnwindSafe(|| Self::read_unguarded(header)))
                .unwrap_or_else(|_| Err("damaged layout records".into()))
        }

        fn read_unguarded(header: AbiHeaderRef) -> Result<Self, String> {
            if !header.is_valid() {
                return Err(format!(
                    "layout records of abi_stable {}.{}, this host reads those of 0.11",
                    header.abi_major, header.abi_minor
                ));
            }
            let header: &'static LibHeader = header.upgrade().map_err(|error| error.to_string())?;
            let found = header.layout().ok_or("layout records without their own layout")?;
            if let Some(difference) = difference(LayoutsRef::LAYOUT, found) {
                return Err(format!("layout records of another form: {difference}"));
            }
            // SAFETY: the header is of this abi_stable, and its module has the layout of `LayoutsRef`, compared above.
            unsafe { header.unchecked_layout::<LayoutsRef>() }.map(Self).map_err(|error| error.to_string())
        }

        /// The first difference between the host's table with this id and the plugin's, in one short line.
        pub(crate) fn difference(&self, id: &str) -> Option<String> {
            let wanted = layout_of(id)?;
            // SAFETY: the function is the plugin's, its signature was compared; the id is borrowed for the call.
            let found = unsafe { (self.0.layout())(Str::new(id)) };
            let ROption::RSome(found) = found else {
                return Some("its layout records do not have it".into());
            };
            catch_unwind(AssertUnwindSafe(|| difference(wanted, found)))
                .unwrap_or_else(|_| Some("damaged layout records".into()))
        }
    }

    /// The first difference in layout. Versions of crates are none.
    pub(super) fn difference(wanted: &'static TypeLayout, found: &'static TypeLayout) -> Option<String> {
        let errors = check_layout_compatibility(wanted, found).err()?.errors;
        let mut faults = errors.iter().flat_map(|error| error.errs.iter().map(move |fault| (error, fault)));
        faults
            .find(|(_, fault)| !matches!(fault, AbiInstability::PackageVersion(_)))
            .map(|(error, fault)| clip(&format!("{}{}", place(wanted, error), text(fault)), 120))
    }

    /// The path to the differing field: `EncoderV1.submit.frame: `.
    fn place(table: &TypeLayout, error: &AbiInstabilityError) -> String {
        let mut place = String::from(table.name());
        for step in &error.stack_trace {
            if let TLFieldOrFunction::Field(field) = &step.expected {
                place.push('.');
                place.push_str(field.name());
            }
        }
        place.push_str(": ");
        place
    }

    fn text(fault: &AbiInstability) -> String {
        use AbiInstability as A;
        match fault {
            A::Name(pair) => pairs("type", pair, |v| v.to_string()),
            A::Package(pair) => pairs("crate", pair, |v| v.to_string()),
            A::Size(pair) => pairs("size", pair, |v| v.to_string()),
            A::Alignment(pair) => pairs("alignment", pair, |v| v.to_string()),
            A::FieldCountMismatch(pair) => pairs("number of fields", pair, |v| v.to_string()),
            A::UnexpectedField(pair) => {
                pairs("field", pair, |v| format!("{}: {}", v.name(), v.layout().full_type()))
            }
            A::MismatchedPrimitive(pair) => pairs("primitive", pair, |v| format!("{v:?}")),
            A::TLDataDiscriminant(pair) => pairs("kind of type", pair, |v| format!("{v:?}")),
            A::ReprAttr(pair) => pairs("repr", pair, |v| format!("{v:?}")),
            A::FnQualifierMismatch(_) => "other function qualifiers".into(),
            A::FnLifetimeMismatch(_) | A::FieldLifetimeMismatch(_) => "other lifetimes".into(),
            A::NonZeroness(_) => "differs in whether zero is allowed".into(),
            A::GenericParamCount(_) | A::MismatchedConstParam(_) => "other generic parameters".into(),
            other => format!("{other:?}"),
        }
    }

    fn pairs<T>(what: &str, pair: &ExpectedFound<T>, show: impl Fn(&T) -> String) -> String {
        format!("{what} is {}, wanted {}", clip(&show(&pair.found), 48), clip(&show(&pair.expected), 48))
    }
}

#[cfg(all(test, feature = "verify"))]
mod tests {
    use abi_stable::StableAbi;

    use super::compare::difference;

    /// One table in the forms that a careless vendor could give it.
    macro_rules! form {
        ($form:ident { $($field:ident: $type:ty),* }) => {
            mod $form {
                #[repr(C)]
                #[derive(abi_stable::StableAbi)]
                pub(super) struct RateV1 {
                    $($field: $type),*
                }
            }
        };
    }
    form!(published { struct_size: u32, reserved: u32, set: Option<extern "C" fn(u64) -> i32> });
    form!(same { struct_size: u32, reserved: u32, set: Option<extern "C" fn(u64) -> i32> });
    form!(signed { struct_size: u32, reserved: u32, set: Option<extern "C" fn(i64) -> i32> });
    form!(inserted { struct_size: u32, reserved: u32, get: usize, set: Option<extern "C" fn(u64) -> i32> });
    form!(wider { struct_size: u64, reserved: u32, set: Option<extern "C" fn(u64) -> i32> });

    #[test]
    fn the_symbol_is_the_one_of_abi_stable() {
        assert_eq!(super::SYMBOL, abi_stable::library::ROOT_MODULE_LOADER_NAME);
    }

    #[test]
    fn equal_layouts_are_equal() {
        assert_eq!(difference(published::RateV1::LAYOUT, same::RateV1::LAYOUT), None);
    }

    #[test]
    fn each_change_is_one_line_that_names_its_place() {
        for (found, words) in [
            (signed::RateV1::LAYOUT, &["RateV1.set", "i64", "u64"][..]),
            (inserted::RateV1::LAYOUT, &["RateV1: ", "size is 24, wanted 16"]),
            (wider::RateV1::LAYOUT, &["RateV1"]),
        ] {
            let line = difference(published::RateV1::LAYOUT, found).unwrap_or_default();
            assert!(!line.contains('\n') && line.chars().count() <= 120, "{line}");
            for word in words {
                assert!(line.contains(word), "{word}: {line}");
            }
        }
    }
}
