"""The measurements of the data path: what is compared, and the processes that it takes."""
