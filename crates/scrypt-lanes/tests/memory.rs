//! What is held, when it is allocated, and that nothing goes back with secrets in it.
//!
//! A program of its own, because its allocator looks at what the test's thread allocates and frees.
#![cfg(test)]
#![expect(unsafe_code, reason = "an allocator is unsafe to write; this one passes everything on and looks")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use scrypt_lanes::{Backend, Hasher, Job, Params};

/// Blocks of memory from this size on are looked at: no buffer of a hasher here is smaller, and other ones are.
const LOOKED_AT: usize = 1024;
thread_local! {
    /// Whether to look at what is freed.
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    /// Allocations since it was set to zero.
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
    /// Blocks that went back.
    static FREED: Cell<usize> = const { Cell::new(0) };
    /// Those of them that were not all zeros.
    static DIRTY: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, watched.
struct Watch;

#[global_allocator]
static WATCH: Watch = Watch;

// SAFETY: it is the system's allocator, called with what came; beside that it counts, and reads what is about to be freed.
unsafe impl GlobalAlloc for Watch {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.set(ALLOCATED.get() + 1);
        // SAFETY: the caller promises what `alloc` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if WATCHED.get() && layout.size() >= LOOKED_AT {
            // SAFETY: the block is still allocated, has this size, and nobody else uses it any more. While it is watched, only
            // hashers free blocks of this size, and those write all of a buffer before they use it.
            let bytes = unsafe { std::slice::from_raw_parts(block, layout.size()) };
            FREED.set(FREED.get() + 1);
            if bytes.iter().any(|byte| *byte != 0) {
                DIRTY.set(DIRTY.get() + 1);
            }
        }
        // SAFETY: the caller promises what `dealloc` asks for.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Hashes so many passwords of equal parameters.
fn hash(hasher: &mut Hasher, params: Params, count: usize) {
    let mut outputs = [[0; 32]; 4];
    let mut jobs = outputs.each_mut().map(|output| Job::new(b"password", b"salt", params, output).unwrap());
    hasher.hash(&mut jobs[..count]).unwrap();
}

/// Does something while memory that goes back is looked at; gives how many blocks went back, and how many of them with
/// something in them.
fn watched(act: impl FnOnce()) -> (usize, usize) {
    FREED.set(0);
    DIRTY.set(0);
    WATCHED.set(true);
    act();
    WATCHED.set(false);
    (FREED.get(), DIRTY.get())
}

#[test]
fn memory_comes_lane_by_lane_stays_and_goes_back_empty() {
    let (small, large) = (Params::new(6, 8, 1).unwrap(), Params::new(8, 16, 2).unwrap());
    // The crate's own memory shows that this test would see something.
    let mut portable = Hasher::with_backend(Backend::Portable).unwrap();
    let (_, dirty) = watched(|| hash(&mut portable, small, 1));
    assert_ne!(dirty, 0);

    for mut hasher in Backend::ALL.into_iter().skip(1).filter_map(Hasher::with_backend) {
        let name = format!("{:?}", hasher.backend());
        println!("tested here: {name}");
        assert_eq!(hasher.held_bytes(), 0, "{name}");
        let mut held = 0;
        for count in 1..=hasher.lanes() {
            hash(&mut hasher, small, count);
            // Three go as four.
            let tables = if count == 3 { 4 } else { count } * small.memory_bytes();
            assert!(hasher.held_bytes() >= tables, "{name} with {count}");
            assert!(hasher.held_bytes() < tables + tables / 2, "{name} with {count}: {}", hasher.held_bytes());
            assert!(hasher.held_bytes() >= held, "{name} with {count}");
            held = hasher.held_bytes();
        }

        let all = hasher.lanes();
        ALLOCATED.set(0);
        for count in (1..=all).cycle().take(8) {
            hash(&mut hasher, small, count);
        }
        assert_eq!(ALLOCATED.get(), 0, "{name} allocates although it has enough");

        let grown = watched(|| hash(&mut hasher, large, all));
        assert!(grown.0 > all && grown.1 == 0, "{name} grew and left {grown:?}");
        held = hasher.held_bytes();
        hash(&mut hasher, small, all);
        hasher.wipe();
        assert_eq!(hasher.held_bytes(), held, "{name}");

        hash(&mut hasher, large, all);
        let released = watched(|| hasher.release());
        assert!(released.0 > all && released.1 == 0, "{name} released {released:?}");
        assert_eq!(hasher.held_bytes(), 0, "{name}");

        hash(&mut hasher, small, all);
        let mut last = Some(hasher);
        let dropped = watched(|| last = None);
        assert!(dropped.0 > all && dropped.1 == 0, "{name} dropped {dropped:?}");
    }
}
