//! Everything that is seen by booting a machine, in one program: two machines run at a time, and
//! a long test has short ones beside it.

mod bombs;
mod control;
mod demo;
mod disks;
mod end;
mod exec;
mod failures;
mod inside;
mod inspect;
mod lifecycle;
mod limits;
mod machine;
mod storage;
mod walls;
