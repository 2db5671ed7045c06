//! The global allocator, a bump allocator in a static array. The wrapper allocates little, could
//! reuse next to nothing of what it frees, and lives for a moment; with musl's allocator a start
//! without a configuration costs 2.0 times C in the place of 1.3, with 2 KB 3.4 in the place of 2.3
//! (`scripts/bench.sh`). What the array cannot hold, and what the processes that stay
//! allocate, comes from the system's allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The array's size in bytes. The kernel provides a page only when it is touched.
const SIZE: usize = 256 * 1024;

const ALIGNMENT: usize = 64;

#[repr(align(64))]
struct Memory(UnsafeCell<[u8; SIZE]>);

// SAFETY: every byte of the array belongs to at most one allocation: `NEXT` moves forward past each
// allocation, and back only to the start of the last one. Moving back releases the accesses to the
// bytes and moving forward acquires them, so a thread that gets the bytes does not race with the
// thread that freed them.
unsafe impl Sync for Memory {}

static MEMORY: Memory = Memory(UnsafeCell::new([0; SIZE]));

/// The offset of the first free byte.
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// The bump allocator.
pub struct Arena;

/// Switches to the system's allocator, which reuses freed memory, in a process that stays.
pub fn retire() {
    NEXT.store(SIZE, Ordering::Release);
}

impl Arena {
    /// Returns the offset of an allocation in the array, or `None` for one of the system's.
    fn offset(memory: *mut u8) -> Option<usize> {
        (memory as usize).checked_sub(MEMORY.0.get() as usize).filter(|&offset| offset < SIZE)
    }

    /// Allocates from the array, if there is room.
    fn take(layout: Layout) -> Option<*mut u8> {
        let end_of = |next: usize| {
            let start = next.next_multiple_of(layout.align());
            start
                .checked_add(layout.size())
                .filter(|&end| end <= SIZE && layout.align() <= ALIGNMENT)
        };
        let before = NEXT.fetch_update(Ordering::AcqRel, Ordering::Acquire, end_of).ok()?;
        // SAFETY: `end_of` accepts only what lies inside the array.
        Some(unsafe { MEMORY.0.get().cast::<u8>().add(before.next_multiple_of(layout.align())) })
    }

    /// Resizes an allocation in place, if it is the last one and there is room; reports whether it
    /// did.
    fn resize_last(offset: usize, old: usize, new: usize) -> bool {
        let (end, new_end) = (offset + old, offset.saturating_add(new));
        new_end <= SIZE
            && NEXT.compare_exchange(end, new_end, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

// SAFETY: `alloc` returns aligned bytes of the array that belong to no other allocation, or memory
// of the system's allocator. `offset` tells the two apart, so that each is resized and freed by the
// allocator that it came from.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `alloc`.
        Self::take(layout).unwrap_or_else(|| unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match Self::take(layout) {
            // SAFETY: `take` has just returned that many bytes.
            Some(memory) => unsafe {
                memory.write_bytes(0, layout.size());
                memory
            },
            // SAFETY: the caller keeps the contract of `alloc_zeroed`.
            None => unsafe { System.alloc_zeroed(layout) },
        }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        match Self::offset(memory) {
            Some(offset) => {
                Self::resize_last(offset, layout.size(), 0);
            }
            // SAFETY: it is not in the array, so it came from the system's allocator.
            None => unsafe { System.dealloc(memory, layout) },
        }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        match Self::offset(memory) {
            // SAFETY: it is not in the array, so it came from the system's allocator.
            None => unsafe { System.realloc(memory, layout, new_size) },
            Some(offset)
                if Self::resize_last(offset, layout.size(), new_size)
                    || new_size <= layout.size() =>
            {
                memory
            }
            Some(_) => {
                // SAFETY: the caller guarantees a valid size, and the alignment is that of a valid
                // layout.
                let grown = unsafe {
                    self.alloc(Layout::from_size_align_unchecked(new_size, layout.align()))
                };
                if !grown.is_null() {
                    // SAFETY: both are valid for the smaller of the sizes, and the new allocation
                    // overlaps no other.
                    unsafe { ptr::copy_nonoverlapping(memory, grown, layout.size().min(new_size)) };
                }
                grown
            }
        }
    }
}
