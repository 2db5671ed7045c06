//! Memory for a short life. The wrapper allocates a little, frees next to nothing that it could use
//! again, and is gone; a general allocator would cost it system calls and a page here and there. So
//! memory comes off the front of one array; what that cannot hold, and what the processes that stay
//! need, comes from the system's allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of the array. Pages that are never touched cost nothing.
const SIZE: usize = 256 * 1024;

const ALIGNMENT: usize = 64;

#[repr(align(64))]
struct Memory(UnsafeCell<[u8; SIZE]>);

// SAFETY: every byte of the array belongs to at most one allocation, because `Arena::next` only
// goes forward past it and comes back only to the start of the last one. Going back releases what
// was done with the bytes, going forward acquires it, so that a thread that gets them sees no other
// thread still at work there.
unsafe impl Sync for Memory {}

static MEMORY: Memory = Memory(UnsafeCell::new([0; SIZE]));

/// The first byte that is free.
static NEXT: AtomicUsize = AtomicUsize::new(0);

pub struct Arena;

/// From now on memory comes from the system's allocator, which uses again what is freed. For a
/// process that stays.
pub fn retire() {
    NEXT.store(SIZE, Ordering::Release);
}

impl Arena {
    /// Where an allocation lies in the array, if it does.
    fn offset(memory: *mut u8) -> Option<usize> {
        (memory as usize).checked_sub(MEMORY.0.get() as usize).filter(|&offset| offset < SIZE)
    }

    /// Takes memory off the array, if there is room.
    fn take(layout: Layout) -> Option<*mut u8> {
        let fitting = |next: usize| {
            let start = next.next_multiple_of(layout.align());
            start
                .checked_add(layout.size())
                .filter(|&end| end <= SIZE && layout.align() <= ALIGNMENT)
        };
        let before = NEXT.fetch_update(Ordering::AcqRel, Ordering::Acquire, fitting).ok()?;
        // SAFETY: `fitting` kept the allocation inside the array.
        Some(unsafe { MEMORY.0.get().cast::<u8>().add(before.next_multiple_of(layout.align())) })
    }

    /// Moves the end of the last allocation, if this is the last one and there is room.
    fn resize_last(offset: usize, old: usize, new: usize) -> bool {
        let (end, new_end) = (offset + old, offset.saturating_add(new));
        new_end <= SIZE
            && NEXT.compare_exchange(end, new_end, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

// SAFETY: `alloc` hands out bytes of the array that nobody else has, aligned as asked for, or the
// system's own memory; what lies in the array is never given to the system's allocator, and the
// other way round.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `alloc`.
        Self::take(layout).unwrap_or_else(|| unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match Self::take(layout) {
            // SAFETY: that many bytes were taken just now.
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
            // SAFETY: it is not in the array, so it came from `System.alloc`.
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
                // SAFETY: the size was checked by the caller, and the alignment is that of a valid
                // layout.
                let grown = unsafe {
                    self.alloc(Layout::from_size_align_unchecked(new_size, layout.align()))
                };
                if !grown.is_null() {
                    // SAFETY: both are valid for the smaller of the sizes, and the new one overlaps
                    // nothing.
                    unsafe { ptr::copy_nonoverlapping(memory, grown, layout.size().min(new_size)) };
                }
                grown
            }
        }
    }
}
