//! What becomes of a plugin that fails while an instance is made.

use std::{fs, time::Duration};

use selkies_plugin_host::{Deadlines, Ending, FaultClass};

use crate::stage::{GENEROUS, Outcome, Stage, buffer, children, faulty, faulty_in_create, in_children};

#[test]
fn a_hang_while_it_is_made_ends_at_its_deadline() -> Outcome {
    let folder = faulty("hang-create")?;
    let deadlines = Deadlines { start_up: Duration::from_secs(3), ..GENEROUS };
    let stage = Stage::with(&folder, in_children(children(None, deadlines)?))?;
    let offer = stage.offer("{}")?;
    let error = stage.encoder_for(r#"{"after":1}"#, &offer).err().ok_or("it does not hang")?;
    assert_eq!((error.code(), error.function), ("SI007", "encoder.create"), "{error}");
    Ok(())
}

#[test]
fn an_exit_while_it_is_made_is_a_fault_even_with_0() -> Outcome {
    let folder = faulty_in_create("exit-create", "exit(0);")?;
    let stage = Stage::child(&folder)?;
    let offer = stage.offer("{}")?;
    // Each end is of another process, and a fault of its own.
    for _ in 0..2 {
        let error = stage.encoder_for("{}", &offer).err().ok_or("it was made")?;
        assert_eq!((error.code(), error.function), ("SI006", "encoder.create"), "{error}");
        assert_eq!(
            (error.class, error.ending),
            (FaultClass::FatalInstance, Some(Ending::Exit(0))),
            "{error}"
        );
        assert!(error.text.contains("ended with exit code 0, the last call was encoder.create"), "{error}");
        assert!(error.is_final() && !error.bystander, "{error}");
    }
    Ok(())
}

#[test]
fn files_that_changed_are_no_fault_of_a_plugin() -> Outcome {
    let folder = faulty("abort")?;
    let stage = Stage::child(&folder)?;
    let offer = stage.offer("{}")?;
    let mut encoding = stage.encoder_for(r#"{"after":1}"#, &offer)?;
    let text = fs::read_to_string(folder.manifest_path())?;
    fs::write(folder.manifest_path(), text.replace("Test encoder", "Another one"))?;
    assert_eq!(encoding.until_failure(&buffer()).ending, Some(Ending::Signal { number: 6 }));
    // The child that would be started again is not the one that was judged.
    let error = stage.encoder_for("{}", &offer).err().ok_or("it was made")?;
    assert!(error.text.starts_with("SP036 ") && error.is_final(), "{error}");
    assert!(error.bystander, "it does not count towards a quarantine: {error}");
    fs::write(folder.manifest_path(), text)?;
    stage.encoder_for("{}", &offer)?;
    Ok(())
}
