//! Keys that must be set where their table is: in sections that are on, and in elements of lists.

use super::checking::example;
use super::keys::{all, places};
use super::reading::Reader;

/// Tells every required key that is missing.
pub(crate) fn judge(reader: &mut Reader<'_>) {
    for key in all().filter(|key| key.required) {
        let pattern = key.pattern();
        let Some((name, around)) = pattern.split_last() else { continue };
        let is_element = around.iter().any(|segment| segment.starts_with('['));
        for (path, table) in places(reader.tree, around) {
            let is_on = is_element || reader.is_set(&path);
            let full = format!("{path}.{name}");
            if !is_on || table.child(name).is_some() || reader.findings.is_left_out(&full) {
                continue;
            }
            // The plugin's own names leave `options` out.
            let plain = full.strip_prefix("options.").unwrap_or(&full);
            let message = format!("{plain} is required");
            let fix = format!("Add `{name} = {}`.", example(key));
            let origin = table.origin.clone();
            reader.findings.tell(&full, &origin, message, fix);
        }
    }
}
