//! The binary. Everything is in the library; `_start` is in `sys::entry`, which
//! calls `corm::main`.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use corm as _;
