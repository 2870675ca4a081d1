"""Running the compiler in the pinned image: engines, attempts, log reading, known errors, remedies."""
