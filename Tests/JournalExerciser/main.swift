import Journal

print(JournalOptions().batchByteCount)
