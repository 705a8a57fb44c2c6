// How the heap deals with LibTorch's large activations. Torch-free.

#ifndef GROUPMAMBA_MODEL_FREED_MEMORY_H_
#define GROUPMAMBA_MODEL_FREED_MEMORY_H_

namespace groupmamba {

// glibc maps every large activation afresh and gives it back, which costs
// LibTorch hundreds of thousands of page faults a batch. After this it keeps
// them. Process-wide, takes effect at any time; LoadTorchEngine and the trainer
// call it.
void KeepFreedMemory();

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_FREED_MEMORY_H_
