pub mod config_files;
