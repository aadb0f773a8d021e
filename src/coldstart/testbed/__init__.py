"""The embedded testbed: a generated world of visual arithmetic and two tiny Qwen2.5-VL models that live in it."""
