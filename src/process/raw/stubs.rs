//! Stubs of functions that the standard library refers to and that the layer's binary never needs.
//! A panic aborts, so nothing unwinds the stack, and without symbols a backtrace would be a list of
//! numbers: it is empty. No thread has a name. Without these stubs the linker includes libunwind, a
//! reader of debugging information and `printf`: 95 KB more, 280 KB with the toolchain's own
//! standard library (`scripts/build-layer.sh` prints the size of the binary).

macro_rules! return_zero {
    ($($name:ident)*) => {$(
        // SAFETY: the linker refuses a second definition. Only `_Unwind_Backtrace` and
        // `pthread_setname_np` are ever called; of both, 0 is success.
        #[unsafe(no_mangle)]
        extern "C" fn $name() -> usize {
            0
        }
    )*};
}

return_zero! {
    _Unwind_Backtrace
    _Unwind_GetDataRelBase
    _Unwind_GetIPInfo
    _Unwind_GetLanguageSpecificData
    _Unwind_GetRegionStart
    _Unwind_GetTextRelBase
    _Unwind_Resume
    _Unwind_SetGR
    _Unwind_SetIP
    pthread_setname_np
}
