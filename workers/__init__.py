"""What moves the money: the posting story, the tasks that ring it, and the commands for ops."""
